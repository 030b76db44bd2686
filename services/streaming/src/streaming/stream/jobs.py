"""What streams need from time to time: to be settled, and to be ended when nobody sends."""

from datetime import datetime

from hazina.chassis import Timer
from hazina.pg import Database
from streaming.cell.actions import Cells
from streaming.stream import actions

SETTLE_EVERY_S = 2
ABANDONED_EVERY_S = 30
UP_FOR_S = 300  # no publisher is called lost by a process that could not have heard it


def timers(cells: Cells) -> tuple[Timer, ...]:
    """Give the timers of streams."""

    async def end_abandoned(db: Database, now: datetime) -> int:
        if cells.age_s < UP_FOR_S:
            return 0
        return await actions.end_abandoned(db, cells, now)

    return (
        Timer("settle_streams", SETTLE_EVERY_S, actions.settle),
        Timer("end_abandoned_streams", ABANDONED_EVERY_S, end_abandoned),
    )
