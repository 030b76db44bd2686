"""What is done with notes while nobody asks."""

from datetime import datetime, timedelta

from sqlalchemy import delete

from hazina.pg import SERVICE, Database
from hazina.standard.sample.tables import note

KEPT_FOR = timedelta(days=3650)


async def expire_notes(db: Database, now: datetime) -> int:
    """Remove notes that are ten years old; give how many."""
    async with db.transaction(SERVICE) as tx:
        gone = await tx.execute(delete(note).where(note.c.written_at < now - KEPT_FOR))
    return gone.rowcount
