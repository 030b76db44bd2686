"""A program that we start, that ends with us, and that is ended by its id."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, Self

from hazina.embedded.guise import Guise, prologue
from hazina.embedded.trouble import Trouble

POLL_S = 0.005
LOG_TAIL_BYTES = 4_000
# Linux ends a child when the *thread* that forked it ends. One thread that lives as long as the
# process forks them all, so callers may start programs from threads that come and go.
_forks = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hazina-forks")


class Program(Protocol):
    """What a running program can be asked; `subprocess.Popen` is one."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...


class Child:
    """One running program: its id, its log and its end."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        guise: Guise = Guise.PLAIN,
        end_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Start the program at once; it writes to `log` and gets `end_signal` when we die."""
        log.parent.mkdir(parents=True, exist_ok=True)
        program = _forks.submit(
            _fork, name, command, log=log, env=env, guise=guise, end_signal=end_signal
        ).result()
        self._look_after(name, program, log, end_signal)

    @classmethod
    def of(cls, name: str, program: Program, *, log: Path) -> Self:
        """Look after a program that was started in another way; SIGTERM ends it."""
        child = cls.__new__(cls)
        child._look_after(name, program, log, signal.SIGTERM)  # noqa: SLF001  its own
        return child

    def _look_after(
        self, name: str, program: Program, log: Path, end_signal: signal.Signals
    ) -> None:
        self.name = name
        self.log = log
        self.end_signal = end_signal
        self._process = program

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended, negative for a signal; None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> int:
        """Wait for its own end and return its exit code; `subprocess.TimeoutExpired` if late."""
        return self._process.wait(timeout_s)

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until it is ready; Trouble with its last words when it ends or takes too long."""
        late = time.monotonic() + timeout_s
        while not ready():
            if self.exit_code is not None:
                raise Trouble(f"{self.name} did not start: {self.last_words()}")
            if time.monotonic() > late:
                self.kill()
                raise Trouble(f"{self.name} was not ready in {timeout_s:.0f} s; see {self.log}")
            time.sleep(POLL_S)

    def stop(self, timeout_s: float = 10) -> None:
        """Ask it to end, and end it when it does not; safe to repeat."""
        if self.exit_code is None:
            self.send(self.end_signal)
            try:
                self.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self.exit_code is None:
            self.send(signal.SIGKILL)
            self.wait(10)

    def send(self, signal_: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(signal_)

    def last_words(self) -> str:
        """The last telling line of its log."""
        if not self.log.exists():
            return f"it ended with code {self.exit_code} and wrote no log"
        text = self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        telling = [line for line in lines if "FATAL" in line or "rror" in line or "FTL" in line]
        return (telling or lines or ["it wrote nothing"])[-1] + f" (see {self.log})"


def _fork(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None,
    guise: Guise,
    end_signal: signal.Signals,
) -> Program:
    try:
        with log.open("ab") as output:
            return subprocess.Popen(
                prologue(guise, end_signal, [str(part) for part in command]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(os.environ if env is None else env),
                cwd="/",
                process_group=0,  # Ctrl-C reaches us, and we decide the order of ends
            )
    except OSError as refused:
        raise Trouble(f"{name} could not be started: {refused}") from None
