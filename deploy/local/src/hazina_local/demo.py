"""`hazina demo`: plays the story against a house, says what changed, draws the gift's path."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from rich.console import Console
from rich.text import Text

from hazina.embedded import Trouble
from hazina_local import folder as folders
from hazina_local import look, nursery
from hazina_local.folder import Folder
from hazina_local.story.play import Told, tell
from hazina_local.story.world import Wrong, visiting
from hazina_local.traces import store, terminal
from hazina_local.traces.waterfall import waterfall
from hazina_local.up import running

CHECK_WAIT_S = 120


async def play(folder: Folder, console: Console) -> None:
    """Play the story in the house that runs in `folder`, or in one that is started for it.

    Trouble names the first sentence that was not true.
    """
    async with _house(folder, console) as house:
        gift = ""
        chapter = ""
        url = house.state().gateway
        async with visiting(url, house.secrets().stripe_webhook) as world:
            try:
                async for told in tell(world, lambda: _check_books(look.environment(house))):
                    _print(console, told, heading=told.chapter != chapter)
                    chapter = told.chapter
                    gift = told.trace_id if "gift" in chapter and told.trace_id else gift
            except Wrong as wrong:
                raise Trouble(f"the story went wrong after “{chapter}”: {wrong}") from None
        spans = await store.read_trace(look.traces_dsn(house), gift)
        if spans:
            console.print()
            console.print(terminal.draw(gift, waterfall(spans)))
        console.print(Text("\nThe whole story came true.", "bold green"))


@asynccontextmanager
async def _house(folder: Folder, console: Console) -> AsyncIterator[Folder]:
    if folder.holder() is not None:
        console.print(f"playing in the house of {folder.path}")
        yield folder
        return
    with folders.ephemeral() as path:
        async with running(Folder(path), console, nursery.load()) as (house, _):
            yield house.folder


async def _check_books(told: Mapping[str, str]) -> tuple[bool, str]:
    """Let the ledger check itself, in a process of its own."""

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ledger", "check", "--full"],
            env=look.with_own(told),
            capture_output=True,
            text=True,
            check=False,
            timeout=CHECK_WAIT_S,
        )

    done = await asyncio.to_thread(check)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line] or lines
    return done.returncode == 0, telling[-1] if telling else f"exit code {done.returncode}"


def _print(console: Console, told: Told, *, heading: bool) -> None:
    if heading:
        console.print(Text(f"\n{told.chapter}", "bold"))
    line = Text("  ✓ ", "green").append(told.sentence, "default")
    console.print(line.append(f"  {told.took_ms:.0f} ms", "dim"))
    for name, value in told.facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        console.print(Text(f"      {name.replace('_', ' ')}: ", "dim").append(shown, "default"))
    if told.trace_id:
        console.print(Text(f"      hazina trace {told.trace_id}", "dim"))
