"""The holds' SQL. Reads and writes; decides nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, text, update

from hazina.pg import Transaction
from ledger import tables
from ledger.account import actions as accounts
from ledger.hold.rules import Hold, HoldUnknown, Status

LOCK_DUE = text("""
    select h.id from hold h join balance b on b.account_id = h.from_account
    where h.status = 'pending' and h.expires_at <= :now
    order by b.flags & 8, h.expires_at limit :limit for update of h skip locked""")


async def add_holds(tx: Transaction, holds: Sequence[Hold]) -> None:
    """Write holds whose money was set aside just now."""
    rows = [
        {
            "id": hold.id,
            "from_account": hold.payer.id,
            "to_account": hold.payee.id,
            "asset": hold.payer.asset,
            "amount": hold.amount,
            "captured": hold.captured,
            "status": hold.status,
            "expires_at": hold.expires_at,
            "reference": hold.reference,
        }
        for hold in holds
    ]
    await tx.execute(insert(tables.hold).values(rows))


async def read_hold(tx: Transaction, id: UUID, *, lock: bool = False) -> Hold:
    """Read a hold; locked, nobody else ends it meanwhile. Raises `HoldUnknown`."""
    asked = select(tables.hold).where(tables.hold.c.id == id)
    row = (await tx.execute(asked.with_for_update() if lock else asked)).one_or_none()
    if row is None:
        raise HoldUnknown
    return await _hold(tx, row)


async def lock_due(tx: Transaction, now: datetime, *, limit: int) -> list[Hold]:
    """Read holds whose time is over, closed accounts' last, and keep them for this transaction."""
    ids = (await tx.execute(LOCK_DUE, {"now": now, "limit": limit})).scalars().all()
    rows = await tx.execute(select(tables.hold).where(tables.hold.c.id.in_(ids)))
    return [await _hold(tx, row) for row in rows.all()]


async def set_ended(
    tx: Transaction,
    id: UUID,
    status: Status,
    *,
    captured: int = 0,
    transaction_id: UUID | None = None,
) -> None:
    """Write what became of a hold."""
    values = {"status": status, "captured": captured, "transaction_id": transaction_id}
    await tx.execute(update(tables.hold).where(tables.hold.c.id == id).values(values))


async def _hold(tx: Transaction, row: Row[Any]) -> Hold:
    named = await accounts.names_in(tx, [row.from_account, row.to_account])
    return Hold(
        row.id,
        named[row.from_account],
        named[row.to_account],
        row.amount,
        row.captured,
        Status(row.status),
        row.expires_at,
        row.transaction_id,
        row.reference,
    )
