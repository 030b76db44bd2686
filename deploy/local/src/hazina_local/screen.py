"""What a person sees while the house starts: a live table, or plain lines where there is none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hazina_local.folder import State

MARKS = {
    "waiting": ("·", "dim"),
    "starting": ("◐", "yellow"),
    "ready": ("●", "green"),
    "restarting": ("↻", "red"),
}
REFRESH_S = 0.1


def table(state: State) -> Table:
    """Draw how each part stands."""
    drawn = Table(box=None, padding=(0, 2), pad_edge=False, show_header=False)
    drawn.add_column(width=1)
    drawn.add_column(min_width=11)
    drawn.add_column(min_width=10)
    drawn.add_column(justify="right")
    drawn.add_column(style="dim")
    for name, part in state.parts.items():
        mark, colour = MARKS[part["stand"]]
        after = part["ready_after_s"]
        said = part["detail"] or (f":{part['port']}" if part["port"] else "")
        if part["restarts"]:
            said += f"  {part['restarts']} restarts"
        drawn.add_row(
            Text(mark, colour),
            Text(name, "bold" if part["stand"] == "ready" else ""),
            Text(part["stand"], colour),
            "" if after is None else f"{after:.1f} s",
            said,
        )
    return drawn


def welcome(state: State, folder: str) -> Text:
    """Say where the house is, once it is ready."""
    after = f" after {state.ready_after_s:.1f} s" if state.ready_after_s else ""
    return Text.assemble(
        ("\nHazina is ready", "bold green"),
        f"{after} at ",
        (state.gateway, "bold underline"),
        f"\n  traces {state.gateway}/_dev/traces · mail {state.gateway}/_dev/mail",
        f" · data {folder}\n",
    )


@asynccontextmanager
async def live(console: Console, state: State) -> AsyncIterator[None]:
    """Show the table while the block runs, drawn anew ten times a second."""
    if not console.is_terminal:
        yield
        return
    with Live(table(state), console=console, auto_refresh=False, transient=False) as drawing:

        async def refresh() -> None:
            while True:
                drawing.update(table(state), refresh=True)
                await asyncio.sleep(REFRESH_S)

        task = asyncio.create_task(refresh())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            drawing.update(table(state), refresh=True)
