"""Timers of quotas."""

from datetime import datetime

from billing.quota import actions
from hazina.pg import Database

ROUNDS_MAX = 100  # of 500 reservations; the timer comes again


async def expire(db: Database, now: datetime) -> int:
    """Free what was set aside and not used in time; give how many reservations that were."""
    expired = 0
    for _ in range(ROUNDS_MAX):
        more = await actions.expire(db, now)
        if not more:
            break
        expired += more
    return expired
