"""Timers of subscriptions."""

from datetime import datetime

from billing.subscription import actions
from hazina.pg import Database

ROUNDS_MAX = 100  # of 500 subscriptions; the timer comes again


async def roll_periods(db: Database, now: datetime) -> int:
    """Move what is on our own clock into the period that it is now; give how many."""
    rolled = 0
    for _ in range(ROUNDS_MAX):
        more = await actions.roll_periods(db, now)
        if not more:
            break
        rolled += more
    return rolled
