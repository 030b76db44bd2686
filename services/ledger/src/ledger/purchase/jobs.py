"""What purchases do by themselves: expire, and be looked at a second time."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from hazina.chassis import Timer
from hazina.pg import Database
from hazina.problems import Unavailable
from ledger.providers.rails import Rails
from ledger.purchase import actions

EXPIRE_EVERY_S = 60
LOOK_EVERY_S = 5


def timers(rails: Rails) -> tuple[Timer, ...]:
    """Give the purchases' timers."""
    return (
        Timer("purchase_expiry", EXPIRE_EVERY_S, actions.expire),
        Timer("purchase_second_look", LOOK_EVERY_S, look(rails)),
    )


def look(rails: Rails) -> Callable[[Database, datetime], Awaitable[int]]:
    """Make the timer's work: ask the providers about large payments; tells how many were real."""

    async def run(db: Database, now: datetime) -> int:
        confirmed = 0
        for id in await actions.list_due_looks(db, now):
            try:
                confirmed += await actions.look(db, rails, id, now)
            except Unavailable:
                break  # the provider does not answer; the next round asks again
        return confirmed

    return run
