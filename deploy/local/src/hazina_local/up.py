"""`hazina up`: runs a house in this process until a signal ends it."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console

from hazina.embedded import Trouble
from hazina_local import screen
from hazina_local.folder import Folder
from hazina_local.house import House
from hazina_local.nursery import Nursery
from hazina_local.part import Part, Stand


async def serve(
    folder: Folder, console: Console, nursery: Nursery | None, *, port: int | None, rates: str
) -> None:
    """Run a house until SIGINT or SIGTERM; a second signal ends this process at once."""
    async with running(folder, console, nursery, port=port, rates=rates) as (house, stop):
        console.print(screen.welcome(house.state, str(folder.path)), soft_wrap=True)
        if console.is_terminal:
            console.print("[dim]Ctrl-C stops everything.[/dim]")
        await stop.wait()
        console.print("stopping …")


@asynccontextmanager
async def running(
    folder: Folder,
    console: Console,
    nursery: Nursery | None,
    *,
    port: int | None = None,
    rates: str = "",
) -> AsyncIterator[tuple[House, asyncio.Event]]:
    """A house that is ready, and ends with the block; the event tells that it is to end."""
    stop = asyncio.Event()
    _end_at_signals(stop)
    with folder.hold():
        house = House(folder, nursery=nursery, port=port, rates=rates)
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
