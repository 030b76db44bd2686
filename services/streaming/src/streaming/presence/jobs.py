"""Presence's upkeep as a part of the process: it starts, is begun again, and stops in order."""

import asyncio
import logging
from contextlib import suppress

from streaming.presence.actions import Presence, Upkeep

logger = logging.getLogger("streaming.presence")

AGAIN_AFTER_S = 1.0
CLAIM_WITHIN_S = 2.0  # how long a start waits, so that the first join finds an owner


class Keeping:
    """The one task that keeps presence up."""

    def __init__(self, presence: Presence) -> None:
        """Take whose upkeep it is."""
        self.upkeep = Upkeep(presence)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, if possible with the cells claimed already; a missing schema is not waited for."""
        self._task = asyncio.create_task(self._run(), name="presence upkeep")
        with suppress(TimeoutError):
            async with asyncio.timeout(CLAIM_WITHIN_S):
                await self.upkeep.owning.wait()

    async def stop(self) -> None:
        """Stop, write what is left and give the cells back."""
        if self._task is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self.upkeep.stop()

    async def _run(self) -> None:
        while True:
            try:
                await self.upkeep.run()
            except Exception:
                logger.exception("presence begins again")
                await asyncio.sleep(AGAIN_AFTER_S)
