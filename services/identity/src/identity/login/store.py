"""The SQL of guessing. Reads and writes; decides nothing."""

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from hazina.pg import Transaction
from identity.login.rules import Throttle
from identity.tables import auth_throttle


async def find_throttle(
    tx: Transaction, subject_hash: bytes, *, hold: bool = False
) -> Throttle | None:
    """Read how often somebody was guessed; `hold` keeps other failures out meanwhile."""
    kept = auth_throttle
    wanted = select(kept.c.failures, kept.c.last_failure_at, kept.c.locked_until)
    mine = wanted.where(kept.c.subject_hash == subject_hash)
    row = (await tx.execute(mine.with_for_update() if hold else mine)).one_or_none()
    return None if row is None else Throttle(*row)


async def set_throttle(tx: Transaction, subject_hash: bytes, throttle: Throttle) -> None:
    """Write how often somebody was guessed."""
    values = {
        "failures": throttle.failures,
        "last_failure_at": throttle.last_failure_at,
        "locked_until": throttle.locked_until,
    }
    written = upsert(auth_throttle).values(subject_hash=subject_hash, **values)
    await tx.execute(written.on_conflict_do_update(index_elements=["subject_hash"], set_=values))


async def remove_throttle(tx: Transaction, subject_hash: bytes) -> None:
    """Forget the guessing: the owner came."""
    mine = auth_throttle.c.subject_hash == subject_hash
    await tx.execute(delete(auth_throttle).where(mine))
