"""Waiting that ends early: for a stop, or for a while."""

import asyncio
import random
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass

RETRY_MIN_S, RETRY_MAX_S = 0.05, 5


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait `seconds`, or until `stop`."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def alone(work: Coroutine[None, None, None]) -> None:
    """Run `work` in a task of its own, so that being cancelled is never mistaken for its failure.

    A task group that fails while it is cancelled tells only of the failure; a loop that catches it
    would go on for ever.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not complain of it
        raise
    task.result()


@dataclass(slots=True)
class Backoff:
    """Ever longer pauses, 50 ms to 5 s, each shortened by chance so that nobody marches in step."""

    wait_s: float = RETRY_MIN_S

    def reset(self) -> None:
        """Begin with short pauses again: something succeeded."""
        self.wait_s = RETRY_MIN_S

    async def pause(self, stop: asyncio.Event) -> None:
        """Wait once, or until `stop`."""
        await pause(stop, self.wait_s * random.uniform(0.5, 1))  # noqa: S311  jitter
        self.wait_s = min(self.wait_s * 2, RETRY_MAX_S)
