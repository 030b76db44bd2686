"""`hazina up`: runs a house in this process until a signal ends it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console

from hazina.embedded import Trouble
from hazina_local import screen
from hazina_local.folder import Folder
from hazina_local.house import House, Part, Stand

DETACHED_WAIT_S = 240
POLL_S = 0.05


async def serve(folder: Folder, console: Console, *, port: int | None, rates: str) -> None:
    """Run a house until SIGINT or SIGTERM; a second signal ends this process at once."""
    async with running(folder, console, port=port, rates=rates) as (house, stop):
        console.print(screen.welcome(house.state, str(folder.path)), soft_wrap=True)
        if console.is_terminal:
            console.print("[dim]Ctrl-C stops everything.[/dim]")
        await stop.wait()
        console.print("stopping …")


@asynccontextmanager
async def running(
    folder: Folder, console: Console, *, port: int | None = None, rates: str = ""
) -> AsyncIterator[tuple[House, asyncio.Event]]:
    """A house that is ready, and ends with the block; the event tells that it is to end."""
    stop = asyncio.Event()
    _end_at_signals(stop)
    with folder.hold():
        house = House(folder, port=port, rates=rates)
        if not console.is_terminal:
            house.changed = lambda part: _say(console, part)
        task = asyncio.create_task(house.run(stop))
        try:
            ready = asyncio.create_task(house.ready.wait())
            async with screen.live(console, house.state):
                await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            if task.done():
                task.result()
                raise Trouble("stopped before everything was ready")
            yield house, stop
        finally:
            stop.set()
            await task


def detach(folder: Folder, console: Console, *, port: int | None, rates: str) -> None:
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
            env=os.environ | ({"HAZINA_GATEWAY_RATES": rates} if rates else {}),
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


def _end_at_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):

        def ended(sign: signal.Signals = sign) -> None:
            stop.set()
            # The next one is for a person who will not wait: children end with this process.
            loop.remove_signal_handler(sign)

        loop.add_signal_handler(sign, ended)


def _say(console: Console, part: Part) -> None:
    after = (
        f" after {part.ready_after_s:.1f} s"
        if part.stand is Stand.READY and part.ready_after_s
        else ""
    )
    detail = f": {part.detail}" if part.detail else ""
    console.print(f"{part.name} {part.stand.value}{after}{detail}", highlight=False)
