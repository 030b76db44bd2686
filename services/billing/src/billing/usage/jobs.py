"""Timers of usage."""

from datetime import datetime

from billing.usage import actions
from hazina.pg import Database


async def ensure_partitions(db: Database, now: datetime) -> int:  # noqa: ARG001  a timer's shape
    """Make the partitions of months to come; the database's own clock says which."""
    return await actions.ensure_partitions(db)
