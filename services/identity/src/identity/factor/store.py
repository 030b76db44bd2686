"""The SQL of challenges. Reads and writes; decides nothing."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from hazina.pg import Transaction
from identity.factor.rules import Challenge, Purpose
from identity.tables import challenges

COLUMNS = (
    *(challenges.c.id, challenges.c.purpose, challenges.c.user_id, challenges.c.channel),
    *(challenges.c.target_enc, challenges.c.secret_hash, challenges.c.attempts),
    *(challenges.c.resends, challenges.c.resend_at, challenges.c.expires_at, challenges.c.used_at),
    *(challenges.c.wrong_at, challenges.c.mailed_at),
)


def _challenge(row: Any) -> Challenge:
    return Challenge(**row._asdict())


async def add_challenge(tx: Transaction, challenge: Challenge) -> None:
    """Write a new challenge."""
    fields = {column.name: getattr(challenge, column.name) for column in COLUMNS}
    await tx.execute(insert(challenges).values(fields))


async def lock_challenge(tx: Transaction, id: UUID) -> Challenge | None:
    """Read a challenge and hold it: of two who answer at once, one goes first."""
    found = await tx.execute(select(*COLUMNS).where(challenges.c.id == id).with_for_update())
    row = found.one_or_none()
    return None if row is None else _challenge(row)


async def lock_standing(tx: Transaction, user_id: UUID, purpose: Purpose) -> Challenge | None:
    """Read the one challenge of a user and purpose that nothing replaced yet, and hold it."""
    mine = (challenges.c.user_id == user_id, challenges.c.purpose == purpose)
    standing = select(*COLUMNS).where(*mine, challenges.c.used_at.is_(None))
    row = (await tx.execute(standing.with_for_update())).one_or_none()
    return None if row is None else _challenge(row)


async def set_answered(
    tx: Transaction, id: UUID, *, attempts: int, used_at: datetime | None, wrong_at: datetime | None
) -> None:
    """Note one try, and whether it was the right one."""
    values = {"attempts": attempts, "used_at": used_at, "wrong_at": wrong_at}
    await tx.execute(update(challenges).where(challenges.c.id == id).values(values))


async def set_resent(
    tx: Transaction,
    id: UUID,
    *,
    secret_hash: bytes | None,
    resend_at: datetime | None,
    expires_at: datetime,
    mailed_at: datetime,
) -> None:
    """Put a new code in place of the old one."""
    await tx.execute(
        update(challenges)
        .where(challenges.c.id == id)
        .values(
            secret_hash=secret_hash,
            resends=challenges.c.resends + 1,
            resend_at=resend_at,
            expires_at=expires_at,
            mailed_at=mailed_at,
        )
    )


async def close_challenge(tx: Transaction, id: UUID, now: datetime) -> None:
    """End a challenge that nobody answered."""
    await tx.execute(update(challenges).where(challenges.c.id == id).values(used_at=now))


async def remove_expired(tx: Transaction, before: datetime) -> int:
    """Forget challenges that were over before `before`."""
    return (await tx.execute(delete(challenges).where(challenges.c.expires_at < before))).rowcount
