"""The gifts' SQL. Reads and writes; decides nothing."""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, Select, insert, select, text

from hazina.pg import Transaction
from ledger import tables
from ledger.gift.rules import GiftType, GiftUnknown, Given, Reversal

ADD = text("""
    insert into gifts
        (id, sender_id, recipient_id, gift_type_id, quantity, coin_amount, streamer_revenue,
         platform_revenue, stream_id, box_id, combo_id, transaction_id, created_at)
    select * from unnest(
        cast(:id as uuid[]), cast(:sender_id as uuid[]), cast(:recipient_id as uuid[]),
        cast(:gift_type_id as uuid[]), cast(:quantity as int[]), cast(:coin_amount as bigint[]),
        cast(:streamer_revenue as bigint[]), cast(:platform_revenue as bigint[]),
        cast(:stream_id as uuid[]), cast(:box_id as uuid[]), cast(:combo_id as uuid[]),
        cast(:transaction_id as uuid[]), cast(:created_at as timestamptz[]))""")
COLUMNS = [column.name for column in tables.gifts.columns]


async def find_type(tx: Transaction, id: UUID) -> GiftType | None:
    """Read a gift type, if there is one of that id."""
    types = tables.gift_types
    row = (await tx.execute(select(types).where(types.c.id == id))).one_or_none()
    return None if row is None else _type(row)


async def list_types(tx: Transaction, *, after: UUID | None, limit: int) -> list[GiftType]:
    """List what can be given now, by id."""
    types = tables.gift_types
    asked = select(types).where(types.c.is_active).order_by(types.c.id).limit(limit)
    if after is not None:
        asked = asked.where(types.c.id > after)
    return [_type(row) for row in await tx.execute(asked)]


async def add_gifts(tx: Transaction, given: Sequence[Given]) -> None:
    """Write gifts that were posted."""
    await tx.execute(ADD, {name: [getattr(one, name) for one in given] for name in COLUMNS})


async def read_gift(tx: Transaction, id: UUID) -> Given:
    """Read a gift that the caller sent or received. Raises `GiftUnknown`."""
    row = (await tx.execute(_gifts().where(tables.gifts.c.id == id))).one_or_none()
    if row is None:
        raise GiftUnknown
    return _given(row)


async def list_gifts(
    tx: Transaction,
    user_id: UUID,
    direction: Literal["sent", "received"],
    *,
    before: UUID | None,
    limit: int,
) -> list[Given]:
    """List what a user sent or received, newest first."""
    gifts = tables.gifts
    theirs = gifts.c.sender_id if direction == "sent" else gifts.c.recipient_id
    asked = _gifts().where(theirs == user_id).order_by(gifts.c.id.desc()).limit(limit)
    if before is not None:
        asked = asked.where(gifts.c.id < before)
    return [_given(row) for row in await tx.execute(asked)]


async def lock_gift(tx: Transaction, id: UUID) -> Given:
    """Read a gift and let nobody else take it back meanwhile. Raises `GiftUnknown`.

    A lock of the gift's name: its row is nobody's to lock, for nobody may change it.
    """
    await tx.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:id, 0))"), {"id": f"gift:{id}"}
    )
    return await read_gift(tx, id)


async def is_reversed(tx: Transaction, id: UUID) -> bool:
    """Tell whether a gift was taken back."""
    reversals = tables.gift_reversals
    asked = select(reversals.c.gift_id).where(reversals.c.gift_id == id)
    return (await tx.execute(asked)).one_or_none() is not None


async def add_reversal(tx: Transaction, reversal: Reversal) -> None:
    """Write that a gift was taken back."""
    await tx.execute(
        insert(tables.gift_reversals).values(
            gift_id=reversal.given.id,
            transaction_id=reversal.transaction_id,
            reason=reversal.reason,
            absorbed=reversal.absorbed,
        )
    )


async def read_reversal(tx: Transaction, id: UUID) -> Row[Any]:
    """Read how a gift was taken back."""
    reversals = tables.gift_reversals
    return (await tx.execute(select(reversals).where(reversals.c.gift_id == id))).one()


def _gifts() -> Select[Any]:
    gifts, types = tables.gifts, tables.gift_types
    return select(gifts, types.c.code.label("gift_type")).join(
        types, types.c.id == gifts.c.gift_type_id
    )


def _type(row: Row[Any]) -> GiftType:
    return GiftType(
        row.id,
        row.code,
        row.name,
        row.coin_cost,
        row.share_bps,
        row.animation_url,
        row.is_active,
    )


def _given(row: Row[Any]) -> Given:
    return Given(**row._asdict())
