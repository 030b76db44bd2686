"""Monitors over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from hazina.auth import Forbidden, Signed
from hazina.chassis import Db, Now, Page, Paged, Wire, refuses
from hazina.money import BALANCE_MAX
from ledger.account.rules import AccountUnknown
from ledger.monitor import actions, store
from ledger.monitor.rules import MonitorUnknown, Op

router = APIRouter(prefix="/ledger/v1/monitors", tags=["monitor"])


class MonitorCreate(Wire):
    """Which account to watch, and the line in minor units."""

    account_id: UUID
    op: Op
    threshold: Annotated[int, Field(ge=-BALANCE_MAX, le=BALANCE_MAX)]


class MonitorRead(Wire):
    """A line that is watched."""

    id: UUID
    account_id: UUID
    op: Op
    threshold: int
    created_at: datetime


@router.post("", status_code=201, responses=refuses(AccountUnknown, Forbidden))
async def post_monitor(ask: MonitorCreate, caller: Signed, db: Db, now: Now) -> MonitorRead:
    """Have `ledger.balance.crossed` told when an account's balance crosses a line."""
    monitor = await actions.watch(
        db,
        caller.actor,
        account_id=ask.account_id,
        op=ask.op,
        threshold=ask.threshold,
        now=now,
    )
    return MonitorRead.of(monitor)


@router.get("")
async def list_monitors(caller: Signed, db: Db, paging: Paged) -> Page[MonitorRead]:
    """List what is watched, of accounts that the caller may read."""
    (after,) = paging.after(UUID) or (None,)
    async with db.reading(caller.actor) as tx:
        monitors = await store.list_monitors(tx, after=after, limit=paging.fetch)
    return paging.page(monitors, key=lambda monitor: (monitor.id,), shape=MonitorRead)


@router.delete("/{monitor_id}", status_code=204, responses=refuses(MonitorUnknown, Forbidden))
async def delete_monitor(monitor_id: UUID, caller: Signed, db: Db) -> None:
    """Watch no more."""
    await actions.stop(db, caller.actor, monitor_id)
