"""Timers of entitlement."""

from datetime import datetime

from billing.entitlement import actions
from hazina.pg import Database

ROUNDS_MAX = 100  # of 500 organisations; the timer comes again


async def refresh(db: Database, now: datetime) -> int:
    """Bring changes of the catalogue to everybody they concern; give how many were looked at."""
    reached = 0
    for _ in range(ROUNDS_MAX):
        more = await actions.refresh(db, now)
        if not more:
            break
        reached += more
    return reached
