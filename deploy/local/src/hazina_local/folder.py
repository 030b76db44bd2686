"""The folder of one house: who holds it, its secrets, and what runs in it right now."""

import base64
import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from hazina.embedded import Trouble
from hazina_local.names import SERVICES

FREE_MB_MIN = 300


def usual() -> Path:
    """Where the data is when nobody says: `HAZINA_DATA`, else the user's data folder."""
    if chosen := os.environ.get("HAZINA_DATA"):
        return Path(chosen).expanduser().resolve()
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "hazina"


@dataclass(frozen=True)
class Secrets:
    """What only this house knows: passwords of its parts, and keys of its services."""

    passwords: dict[str, str]  # by role or user
    pepper: str  # base64, 32 bytes: keys identity's hashes
    kek: str  # base64, 32 bytes: encrypts what identity keeps
    crypto_kek: str  # the same for crypto, whose keys must not open with identity's
    stripe_webhook: str  # signs payment webhooks, as Stripe would

    @classmethod
    def fresh(cls) -> Self:
        """Make new ones."""
        roles = [*SERVICES, *(f"{service}_owner" for service in SERVICES), "traces"]
        return cls(
            # A letter first: NATS reads a password of digits alone as a number.
            passwords={role: "p" + secrets.token_hex(16) for role in roles},
            pepper=base64.b64encode(secrets.token_bytes(32)).decode(),
            kek=base64.b64encode(secrets.token_bytes(32)).decode(),
            crypto_kek=base64.b64encode(secrets.token_bytes(32)).decode(),
            stripe_webhook=f"whsec_{secrets.token_hex(24)}",
        )


@dataclass
class State:
    """What runs right now, for the other commands to read."""

    pid: int
    gateway: str = ""
    dev: str = ""
    ready: bool = False
    started_at: str = ""
    ready_after_s: float | None = None
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)


class Folder:
    """One house's folder. Only its owner may read what is in it."""

    def __init__(self, path: Path) -> None:
        """Take the path; nothing is made before `hold()`."""
        self.path = path.resolve()

    @property
    def env_file(self) -> Path:
        """What a service of this house is told, as shell assignments."""
        return self.path / "env"

    def log(self, part: str) -> Path:
        """Where a part writes its log."""
        own = {"postgres": "pg/postgres.log", "nats": "nats/nats.log", "gateway": "envoy/envoy.log"}
        return self.path / own.get(part, f"logs/{part}.log")

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Make the folder ours while the block runs; Trouble says who else holds it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o711)
            (self.path / "logs").mkdir(exist_ok=True, mode=0o700)
            held = os.open(self.path / "held", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as refused:
            raise Trouble(
                f"the data folder {self.path} cannot be used: {refused.strerror}"
            ) from None
        try:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = os.pread(held, 20, 0).decode()
                raise Trouble(
                    f"{self.path} is held by a running Hazina, pid {pid}; "
                    "see `hazina status`, end it with `hazina down`, or take another --data"
                ) from None
            os.truncate(held, 0)
            os.pwrite(held, str(os.getpid()).encode(), 0)
            self._check_disk()
            yield
        finally:
            os.close(held)

    def holder(self) -> int | None:
        """The process that holds this folder, if one does."""
        try:
            held = os.open(self.path / "held", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(os.pread(held, 20, 0) or 0) or None
        finally:
            os.close(held)
        return None

    def secrets(self) -> Secrets:
        """Read this house's secrets, made at its first start."""
        kept = self.path / "secrets.json"
        if not kept.exists():
            self._write(kept, json.dumps(asdict(Secrets.fresh()), indent=1))
        return Secrets(**json.loads(kept.read_text()))

    def write_state(self, state: State) -> None:
        """Let the other commands know what runs."""
        self._write(self.path / "state.json", json.dumps(asdict(state), indent=1))

    def write_env(self, values: Mapping[str, str]) -> None:
        """Keep what services are told, so that a person can run one by hand."""
        lines = [f"export {name}='{value}'" for name, value in sorted(values.items())]
        self._write(self.env_file, "\n".join(lines) + "\n")

    def state(self) -> State:
        """What runs in this folder; Trouble when nothing does."""
        if self.holder() is None:
            raise Trouble(f"nothing runs in {self.path}; start it with `hazina up`")
        try:
            return State(**json.loads((self.path / "state.json").read_text()))
        except FileNotFoundError:
            raise Trouble(f"the house in {self.path} is still starting") from None

    def forget_state(self) -> None:
        """Nothing runs any more."""
        (self.path / "state.json").unlink(missing_ok=True)

    def _check_disk(self) -> None:
        free_mb = shutil.disk_usage(self.path).free // 1_000_000
        if free_mb < FREE_MB_MIN:
            raise Trouble(
                f"only {free_mb} MB are free in {self.path}; Hazina needs {FREE_MB_MIN} MB"
            )

    def _write(self, file: Path, text: str) -> None:
        """Replace a file as a whole; a reader sees the old one or the new one."""
        new = file.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(text)
        new.replace(file)


@contextmanager
def ephemeral() -> Iterator[Path]:
    """A folder that is gone when the block ends."""
    made = Path(tempfile.mkdtemp(prefix="hazina-"))
    made.chmod(0o711)  # so that `nobody` can reach PostgreSQL's part of it
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
