"""What the audit does by itself: prove the whole book every night."""

from datetime import datetime

from hazina.chassis import Timer
from hazina.pg import Database
from ledger.audit import actions

NIGHTLY_S = 86_400


async def prove(db: Database, _now: datetime) -> int:
    """Prove the whole book; tells how many contradictions were found."""
    return len((await actions.check(db, full=True)).findings)


TIMERS = (Timer("check", NIGHTLY_S, prove),)
