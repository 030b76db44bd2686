"""`hazina up --detach`: a house that outlives the command that started it."""

import signal
import subprocess
import sys
import time

from rich.console import Console

from hazina.embedded import Trouble
from hazina_local import screen
from hazina_local.folder import Folder

DETACHED_WAIT_S = 240
POLL_S = 0.02


def detach(folder: Folder, console: Console, *, port: int | None) -> None:
    """Start a house that outlives this command, and return when it is ready."""
    if (holder := folder.holder()) is not None:
        raise Trouble(f"{folder.path} is held by a running Hazina, pid {holder}")
    folder.path.mkdir(parents=True, exist_ok=True, mode=0o711)
    log = folder.path / "hazina.log"
    command = [sys.executable, "-m", "hazina_local", "up", "--data", str(folder.path)]
    command += ["--port", str(port)] if port is not None else []
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    late = time.monotonic() + DETACHED_WAIT_S
    with console.status("starting the house"):
        while time.monotonic() < late:
            if child.poll() is not None:
                words = log.read_text().strip().splitlines()
                raise Trouble(words[-1] if words else f"it did not start; see {log}")
            if _is_ready(folder):
                console.print(screen.welcome(folder.state(), str(folder.path)), soft_wrap=True)
                return
            time.sleep(POLL_S)
    child.send_signal(signal.SIGTERM)
    raise Trouble(f"the house was not ready in {DETACHED_WAIT_S} s; see {log}")


def _is_ready(folder: Folder) -> bool:
    try:
        return folder.state().ready
    except Trouble:
        return False
