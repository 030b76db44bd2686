"""One interpreter that has loaded what all services share, and forks each of them.

Five interpreters that each load the same libraries need three times as long to start a house.
`python -m hazina_local.nursery` reads births from standard input, a JSON object a line, and tells
births and ends on standard output. A service that is started again later gets an interpreter of
its own, so that it runs the code as it is then. Only Linux: forking is not safe everywhere.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from hazina.embedded import Child, Trouble
from hazina.embedded.prologue import die_with

WORKS = sys.platform == "linux"
BIRTH_WAIT_S = 180  # a machine that is busy with other work
READ_BYTES = 65_536
STDIN = 0
# What services load, besides their own code. One that is missing is only not loaded in advance.
SHARED = (
    "hazina.chassis.run",
    "hazina.outbox",
    "hazina.auth",
    "hazina.idempotency",
    "hazina.pg.migrations",
    "alembic.command",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
)


class Nursling:
    """A process that the nursery forked, watched as if it were our own."""

    def __init__(self, pid: int) -> None:
        """Take its id."""
        self.pid = pid
        self._ended = threading.Event()
        self._code: int | None = None

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; `subprocess.TimeoutExpired` when it is late."""
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        assert self._code is not None
        return self._code

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it ended."""
        if self._code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def end(self, code: int) -> None:
        """Note how it ended."""
        self._code = code
        self._ended.set()


def load() -> "Nursery | None":
    """Start a nursery where forking is safe. The earlier, the sooner a house is ready."""
    return Nursery() if WORKS else None


class Nursery:
    """The house's side: starts the interpreter, asks for births, hears of ends."""

    def __init__(self) -> None:
        """Start loading at once; what goes wrong in it is seen on our own standard error."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hazina_local.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
        )
        self._born: dict[str, Nursling] = {}
        self._news = threading.Condition()
        self._gone = False
        threading.Thread(target=self._hear, name="nursery", daemon=True).start()

    def bear(self, name: str, words: list[str], *, log: Path, env: Mapping[str, str]) -> Child:
        """Start `python -m WORDS`; Trouble when the nursery is gone."""
        asked = {"name": name, "words": words, "log": str(log), "env": dict(env)}
        assert self._process.stdin is not None
        with self._news:
            self._born.pop(name, None)
        try:
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise Trouble("the nursery is gone") from None
        with self._news:
            self._news.wait_for(lambda: self._gone or name in self._born, BIRTH_WAIT_S)
            if name not in self._born:
                raise Trouble("the nursery is gone")
            return Child.of(name, self._born[name], log=log)

    def close(self) -> None:
        """End it; what it still looks after ends too."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._process.wait(BIRTH_WAIT_S)

    def _hear(self) -> None:
        assert self._process.stdout is not None
        pids: dict[int, Nursling] = {}
        for line in self._process.stdout:
            said = json.loads(line)
            with self._news:
                if "name" in said:
                    pids[said["pid"]] = self._born[said["name"]] = Nursling(said["pid"])
                else:
                    pids[said["pid"]].end(said["code"])
                self._news.notify_all()
        with self._news:
            self._gone = True
            for nursling in pids.values():
                if nursling.poll() is None:
                    nursling.end(-signal.SIGTERM)
            self._news.notify_all()
        self._process.stdout.close()


def main() -> None:
    """Load, then fork what is asked for until standard input ends."""
    for module in SHARED:
        with suppress(ImportError):
            import_module(module)
    gc.freeze()  # so that a collection in a child does not copy what it shares
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    awake, wake = socket.socketpair()
    with awake, wake:
        awake.setblocking(False)
        wake.setblocking(False)
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        born = _tend(awake)
        signal.set_wakeup_fd(-1)
    if born is not None:
        _become(born)


def _tend(awake: socket.socket) -> dict[str, Any] | None:
    """Fork what is asked for. Returns in each child what it is to be, and None at the end."""
    nursery, unread = os.getpid(), b""
    while True:
        ready, _, _ = select.select([STDIN, awake.fileno()], [], [])
        if awake.fileno() in ready:
            awake.recv(READ_BYTES)
            _reap()
        if STDIN in ready:
            read = os.read(STDIN, READ_BYTES)
            if not read:
                return None
            *lines, unread = (unread + read).split(b"\n")
            for asked in map(json.loads, lines):
                pid = os.fork()
                if pid == 0:
                    return {**asked, "nursery": nursery}
                _tell(name=asked["name"], pid=pid)


def _reap() -> None:
    """Tell of every child that ended."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            _tell(pid=ended[0], code=os.waitstatus_to_exitcode(ended[1]))


def _become(asked: dict[str, Any]) -> None:
    """In the child: be what `python -m WORDS` would be, in a group of its own."""
    os.setpgid(0, 0)
    die_with(asked["nursery"], signal.SIGTERM)
    for sign in (signal.SIGINT, signal.SIGCHLD):
        signal.signal(sign, signal.SIG_DFL)
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(asked["env"])
    module, *words = asked["words"]
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _tell(**facts: str | int) -> None:
    os.write(1, json.dumps(facts).encode() + b"\n")


if __name__ == "__main__":
    main()
