"""The SQL of reading transactions. Who may see which is row-level security's to say."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text

from hazina.pg import Transaction as Tx
from ledger import tables
from ledger.transfer.rules import Line, Transaction, TransactionUnknown


async def read_transaction(tx: Tx, id: UUID) -> Transaction:
    """Read a transaction as far as the caller may see it. Raises `TransactionUnknown`."""
    transaction = tables.transaction
    row = (await tx.execute(select(transaction).where(transaction.c.id == id))).one_or_none()
    if row is None:
        raise TransactionUnknown
    return _seen(row, await _readable(tx, row.account_ids))


async def list_transactions(
    tx: Tx, *, reference: str, after: UUID | None, limit: int
) -> list[Transaction]:
    """List the transactions with a reference, by id: in the order in which they were asked for."""
    transaction = tables.transaction
    asked = select(transaction).where(transaction.c.reference == reference)
    if after is not None:
        asked = asked.where(transaction.c.id > after)
    rows = (await tx.execute(asked.order_by(transaction.c.id).limit(limit))).all()
    readable = await _readable(tx, {id for row in rows for id in row.account_ids})
    return [_seen(row, readable) for row in rows]


async def lock_reversal(tx: Tx, id: UUID) -> UUID | None:
    """Let nobody else take back this transaction meanwhile; give what took it back before.

    A lock of the transaction's name: its row is nobody's to lock, for nobody may change it.
    """
    await tx.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:id, 0))"), {"id": f"reverse:{id}"}
    )
    transaction = tables.transaction
    asked = select(transaction.c.id).where(transaction.c.reverses == id)
    return (await tx.execute(asked)).scalar_one_or_none()


async def _readable(tx: Tx, account_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Tell which of these accounts the caller may read, and the asset of each."""
    account = tables.account
    asked = select(account.c.id, account.c.asset).where(account.c.id.in_(list(account_ids)))
    return {row.id: row.asset for row in await tx.execute(asked)}


def _seen(row: Row[Any], readable: dict[UUID, str]) -> Transaction:
    # A transaction of several assets is named by the first one that its reader holds.
    asset = next(readable[id] for id in row.account_ids if id in readable)
    legs: Sequence[tuple[UUID, int, int, int]] = list(
        zip(row.account_ids, row.amounts, row.balances_after, row.seqs, strict=True)
    )
    moved = sum(
        amount for id, amount, *_ in legs if amount > 0 and readable.get(id, asset) == asset
    )
    return Transaction(
        id=row.id,
        kind=row.kind,
        asset=asset,
        amount=moved,
        legs=tuple(
            Line(id, amount, *((after, seq) if id in readable else (None, None)))
            for id, amount, after, seq in legs
        ),
        reference=row.reference,
        metadata=row.metadata,
        reverses=row.reverses,
        created_at=row.created_at,
    )
