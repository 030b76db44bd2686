"""Free ports of 127.0.0.1 that two runs at the same time never share."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

from hazina.embedded.trouble import Trouble

# Below the range from which Linux and macOS take the near ends of outgoing connections.
FIRST, LAST = 20_000, 32_000
TRIES_MAX = 500

_held: dict[int, int] = {}  # port → the locked file that keeps it ours


def free_port() -> int:
    """Pick a port nobody listens on; no other run is given it while this process lives.

    Programs that cannot be handed a socket bind it themselves later, so the port is held by a
    file lock in the meantime. Against strangers there is only the random choice.
    """
    folder = Path(tempfile.gettempdir(), f"hazina-ports-{os.geteuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    for port in random.Random().sample(range(FIRST, LAST), TRIES_MAX):  # noqa: S311 - no secret
        if port not in _held and _claim(port, folder / str(port)):
            return port
    raise Trouble(f"no free port was found between {FIRST} and {LAST}")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 right now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _claim(port: int, lock: Path) -> bool:
    held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return False
    if not is_free(port):
        os.close(held)
        return False
    _held[port] = held
    return True
