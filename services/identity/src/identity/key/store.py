"""The SQL of signing keys. Reads and writes; decides nothing."""

from datetime import datetime

from sqlalchemy import delete, insert, select, text, update

from hazina.pg import Transaction
from identity.key.rules import SigningKey, State
from identity.tables import signing_keys

LOCK = text("select pg_advisory_xact_lock(hashtext('identity.signing_keys'))")


async def lock_keys(tx: Transaction) -> list[SigningKey]:
    """Read all keys and keep other rotations out until the transaction ends.

    The lock is not on rows, because on the first start there are none.
    """
    await tx.execute(LOCK)
    return await list_keys(tx)


async def list_keys(tx: Transaction) -> list[SigningKey]:
    """Read all keys, the oldest first."""
    keys = signing_keys
    wanted = select(keys.c.kid, keys.c.private_enc, keys.c.public, keys.c.state, keys.c.state_at)
    rows = await tx.execute(wanted.order_by(keys.c.created_at, keys.c.kid))
    return [SigningKey(*row) for row in rows]


async def add_key(tx: Transaction, key: SigningKey) -> None:
    """Write a new key."""
    await tx.execute(
        insert(signing_keys).values(
            kid=key.kid,
            private_enc=key.private_enc,
            public=key.public,
            state=key.state,
            state_at=key.state_at,
        )
    )


async def set_state(tx: Transaction, kid: str, state: State, now: datetime) -> None:
    """Change a key's state."""
    mine = signing_keys.c.kid == kid
    await tx.execute(update(signing_keys).where(mine).values(state=state, state_at=now))


async def remove_key(tx: Transaction, kid: str) -> None:
    """Forget a key."""
    await tx.execute(delete(signing_keys).where(signing_keys.c.kid == kid))
