"""The SQL of moneyboxes and commissions. Reads and writes; decides nothing."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from hazina.pg import Transaction
from ledger import tables
from ledger.account.rules import Flag, State
from ledger.moneybox import rules
from ledger.moneybox.rules import (
    OPEN,
    Commission,
    Line,
    Moneybox,
    MoneyboxUnknown,
    Movement,
    Saved,
    Status,
    Tier,
)

# By whole days left, not by row: at most one row a day of the time it is locked.
SAVED = text("""
    select l.moneybox_id, sum(l.amount)::bigint as amount,
           floor(extract(epoch from (b.matures_at - l.created_at)) / 86400)::int as days_left
    from moneybox_ledger l join moneybox_accounts b on b.id = l.moneybox_id
    where l.moneybox_id = any (:ids)
    group by 1, 3""")

LIST_DUE = text("""
    select id from moneybox_accounts where status = 'ACTIVE' and matures_at <= :now
    order by matures_at limit :limit""")

LIST_OF_GONE = text("""
    select b.id from moneybox_accounts b join user_state s on s.user_id = b.user_id
    where b.status in ('ACTIVE', 'MATURED')
      and (s.state in ('banned', 'erased') or (s.state = 'suspended' and s.since_at <= :before))
    order by b.id limit :limit""")


async def list_tiers(tx: Transaction) -> list[Tier]:
    """List the terms on which a moneybox can be opened."""
    tiers = tables.moneybox_tiers
    return [_tier(row) for row in await tx.execute(select(tiers).order_by(tiers.c.tier))]


async def find_tier(tx: Transaction, tier: int) -> Tier | None:
    """Read one tier, if there is such a one."""
    tiers = tables.moneybox_tiers
    row = (await tx.execute(select(tiers).where(tiers.c.tier == tier))).one_or_none()
    return None if row is None else _tier(row)


async def find_role(tx: Transaction, user_id: UUID) -> str | None:
    """Read a user's role in the marketplace, if we know the user."""
    state = tables.user_state
    asked = select(state.c.role).where(state.c.user_id == user_id)
    return (await tx.execute(asked)).scalar_one_or_none()


async def add_moneybox(tx: Transaction, box: Moneybox) -> bool:
    """Write a new moneybox, unless its owner has an open one; tell whether it was written."""
    values = asdict(box)
    del values["balance"], values["money_days"]
    values["penalty_bps"] = list(box.penalty_bps)
    added = await tx.execute(
        insert_or_not(tables.moneybox_accounts)
        .values(values)
        .on_conflict_do_nothing()
        .returning(tables.moneybox_accounts.c.id)
    )
    return added.one_or_none() is not None


async def set_moneybox(tx: Transaction, box: Moneybox) -> None:
    """Write what changes of a moneybox: its status, its percent and its time."""
    boxes = tables.moneybox_accounts
    values = {
        "status": box.status,
        "autosave_percent": box.autosave_percent,
        "lock_start_at": box.lock_start_at,
        "matures_at": box.matures_at,
    }
    await tx.execute(update(boxes).where(boxes.c.id == box.id).values(values))


async def lock_moneybox(tx: Transaction, id: UUID) -> Moneybox:
    """Read a moneybox and hold it until the transaction ends. Raises `MoneyboxUnknown`."""
    boxes = tables.moneybox_accounts
    return await _one(tx, select(boxes).where(boxes.c.id == id).with_for_update())


async def lock_open_of(tx: Transaction, user_id: UUID) -> Moneybox | None:
    """Read a user's open moneybox, if there is one, and hold it until the transaction ends."""
    boxes = tables.moneybox_accounts
    theirs = (boxes.c.user_id == user_id, boxes.c.status.in_(sorted(OPEN)))
    found = await _some(tx, select(boxes).where(*theirs).with_for_update())
    return found[0] if found else None


async def read_moneybox(tx: Transaction, id: UUID) -> Moneybox:
    """Read a moneybox with what it holds. Raises `MoneyboxUnknown`."""
    boxes = tables.moneybox_accounts
    return await _one(tx, select(boxes).where(boxes.c.id == id))


async def list_moneyboxes(tx: Transaction, *, after: UUID | None, limit: int) -> list[Moneybox]:
    """List the moneyboxes that the caller may read, oldest first."""
    boxes = tables.moneybox_accounts
    asked = select(boxes).order_by(boxes.c.id).limit(limit)
    return await _some(tx, asked if after is None else asked.where(boxes.c.id > after))


async def list_due(tx: Transaction, now: datetime, *, limit: int) -> list[UUID]:
    """List the moneyboxes whose time is over and whose bonus has not come."""
    return list((await tx.execute(LIST_DUE, {"now": now, "limit": limit})).scalars())


async def list_of_gone(tx: Transaction, before: datetime, *, limit: int) -> list[UUID]:
    """List the open moneyboxes of who is banned, erased, or suspended since `before`."""
    return list((await tx.execute(LIST_OF_GONE, {"before": before, "limit": limit})).scalars())


async def read_standing(tx: Transaction, user_id: UUID) -> tuple[State, datetime]:
    """Read how a user stands and since when, and keep it so until the transaction ends."""
    state = tables.user_state
    asked = select(state.c.state, state.c.since_at).where(state.c.user_id == user_id)
    row = (await tx.execute(asked.with_for_update(read=True))).one()
    return State(row.state), row.since_at


async def read_flags(tx: Transaction, account_id: UUID) -> Flag:
    """Read why an account may not move, if so."""
    balance = tables.balance
    asked = select(balance.c.flags).where(balance.c.account_id == account_id)
    return Flag((await tx.execute(asked)).scalar_one())


async def add_lines(tx: Transaction, lines: Sequence[Line]) -> None:
    """Write movements of moneyboxes."""
    rows = [
        {
            "id": line.id,
            "moneybox_id": line.moneybox_id,
            "type": line.type,
            "amount": line.amount,
            "meta_json": dict(line.meta),
            "transaction_id": line.transaction_id,
            "created_at": line.created_at,
        }
        for line in lines
    ]
    await tx.execute(insert(tables.moneybox_ledger).values(rows))


async def list_lines_of(tx: Transaction, transaction_id: UUID) -> list[Line]:
    """List what one transaction moved in a moneybox, as it was written."""
    ledger = tables.moneybox_ledger
    asked = select(ledger).where(ledger.c.transaction_id == transaction_id).order_by(ledger.c.id)
    return [_line(row) for row in await tx.execute(asked)]


async def list_lines(
    tx: Transaction, moneybox_id: UUID, *, before: UUID | None, limit: int
) -> list[Line]:
    """List what moved in a moneybox, newest first."""
    ledger = tables.moneybox_ledger
    asked = select(ledger).where(ledger.c.moneybox_id == moneybox_id)
    if before is not None:
        asked = asked.where(ledger.c.id < before)
    rows = await tx.execute(asked.order_by(ledger.c.id.desc()).limit(limit))
    return [_line(row) for row in rows]


async def add_commission(tx: Transaction, commission: Commission) -> bool:
    """Write a commission, unless its source was credited before; waits for one in flight."""
    added = await tx.execute(
        insert_or_not(tables.commissions)
        .values(asdict(commission))
        .on_conflict_do_nothing(constraint="commissions_once")
        .returning(tables.commissions.c.id)
    )
    return added.one_or_none() is not None


async def find_commission_of(
    tx: Transaction, source_type: str, source_id: str, user_id: UUID
) -> UUID | None:
    """Find the commission that was credited to a user for something."""
    rows = tables.commissions
    asked = select(rows.c.id).where(
        rows.c.source_type == source_type,
        rows.c.source_id == source_id,
        rows.c.user_id == user_id,
    )
    return (await tx.execute(asked)).scalar_one_or_none()


async def read_commission(tx: Transaction, id: UUID) -> Commission:
    """Read a commission that is there."""
    rows = tables.commissions
    return Commission(**(await tx.execute(select(rows).where(rows.c.id == id))).one()._asdict())


async def list_commissions(tx: Transaction, *, before: UUID | None, limit: int) -> list[Commission]:
    """List the commissions that the caller may read, newest first."""
    rows = tables.commissions
    asked = select(rows).order_by(rows.c.id.desc()).limit(limit)
    if before is not None:
        asked = asked.where(rows.c.id < before)
    return [Commission(**row._asdict()) for row in await tx.execute(asked)]


async def _one(tx: Transaction, asked: Select[Any]) -> Moneybox:
    found = await _some(tx, asked)
    if not found:
        raise MoneyboxUnknown
    return found[0]


async def _some(tx: Transaction, asked: Select[Any]) -> list[Moneybox]:
    # What they hold is read by a later statement than the one that waited for the locks, so it
    # is what whoever was before us left behind.
    boxes = [_moneybox(row) for row in await tx.execute(asked)]
    saved: dict[UUID, list[Saved]] = {box.id: [] for box in boxes}
    for row in await tx.execute(SAVED, {"ids": list(saved)}):
        saved[row.moneybox_id].append(Saved(row.days_left, row.amount))
    return [rules.holding(box, saved[box.id]) for box in boxes]


def _moneybox(row: Row[Any]) -> Moneybox:
    box = Moneybox(**row._asdict())
    return replace(box, status=Status(row.status), penalty_bps=tuple(row.penalty_bps))


def _tier(row: Row[Any]) -> Tier:
    return Tier(
        row.tier,
        row.name,
        row.lock_days,
        row.bonus_bps,
        tuple(row.penalty_bps),
        frozenset(row.roles),
    )


def _line(row: Row[Any]) -> Line:
    return Line(
        row.id,
        row.moneybox_id,
        Movement(row.type),
        row.amount,
        row.transaction_id,
        row.created_at,
        row.meta_json,
    )
