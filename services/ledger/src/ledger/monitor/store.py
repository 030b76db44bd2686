"""The monitors' SQL. Reads and writes; decides nothing."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, select, update

from hazina.pg import Transaction
from ledger import tables
from ledger.monitor.rules import Hit, Monitor, MonitorUnknown, Op


async def add_monitor(tx: Transaction, monitor: Monitor) -> None:
    """Write a monitor."""
    await tx.execute(
        insert(tables.balance_monitors).values(
            id=monitor.id,
            account_id=monitor.account_id,
            op=monitor.op,
            threshold=monitor.threshold,
            created_at=monitor.created_at,
        )
    )


async def read_monitor(tx: Transaction, id: UUID) -> Monitor:
    """Read a monitor of an account that the caller may read. Raises `MonitorUnknown`."""
    monitors = tables.balance_monitors
    row = (await tx.execute(select(monitors).where(monitors.c.id == id))).one_or_none()
    if row is None:
        raise MonitorUnknown
    return _monitor(row)


async def list_monitors(tx: Transaction, *, after: UUID | None, limit: int) -> list[Monitor]:
    """List the monitors of accounts that the caller may read, by id."""
    monitors = tables.balance_monitors
    asked = select(monitors).order_by(monitors.c.id).limit(limit)
    if after is not None:
        asked = asked.where(monitors.c.id > after)
    return [_monitor(row) for row in await tx.execute(asked)]


async def remove_monitor(tx: Transaction, id: UUID) -> None:
    """Watch no more; what was crossed and not told yet is forgotten."""
    hits, monitors = tables.monitor_hits, tables.balance_monitors
    await tx.execute(delete(hits).where(hits.c.monitor_id == id, hits.c.published_at.is_(None)))
    await tx.execute(delete(monitors).where(monitors.c.id == id))


async def lock_hits(tx: Transaction, *, limit: int) -> list[Hit]:
    """Read lines that were crossed and not told yet, oldest first, and keep them."""
    hits, monitors = tables.monitor_hits, tables.balance_monitors
    untold = (
        select(hits.c.id)
        .where(hits.c.published_at.is_(None))
        .order_by(hits.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = (await tx.execute(untold)).scalars().all()
    rows = await tx.execute(
        select(hits.c.id.label("hit_id"), hits.c.before, hits.c.after, monitors)
        .join(monitors, monitors.c.id == hits.c.monitor_id)
        .where(hits.c.id.in_(ids))
        .order_by(hits.c.id)
    )
    return [Hit(row.hit_id, _monitor(row), row.before, row.after) for row in rows]


async def set_told(tx: Transaction, hits: Sequence[Hit]) -> None:
    """Write that these lines were told."""
    table = tables.monitor_hits
    told = [hit.id for hit in hits]
    await tx.execute(
        update(table).where(table.c.id.in_(told)).values(published_at=func.clock_timestamp())
    )


def _monitor(row: Row[Any]) -> Monitor:
    return Monitor(row.id, row.account_id, Op(row.op), row.threshold, row.created_at)
