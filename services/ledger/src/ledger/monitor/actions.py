"""What can be done with monitors: watch, stop watching, and tell what was crossed."""

from datetime import datetime
from uuid import UUID

from hazina import ids, outbox
from hazina.pg import SERVICE, Actor, Database
from ledger.account import actions as accounts
from ledger.monitor import store
from ledger.monitor.events import BalanceCrossed
from ledger.monitor.rules import Hit, Monitor, Op

TELL_ROWS = 100


async def watch(
    db: Database, actor: Actor, *, account_id: UUID, op: Op, threshold: int, now: datetime
) -> Monitor:
    """Watch an account that the caller may read. Raises `AccountUnknown`."""
    async with db.reading(actor) as tx:
        await accounts.require_readable_in(tx, account_id)
    monitor = Monitor(ids.new(), account_id, op, threshold, now)
    async with db.transaction(SERVICE) as tx:
        await store.add_monitor(tx, monitor)
    return monitor


async def stop(db: Database, actor: Actor, id: UUID) -> None:
    """Watch no more. Raises `MonitorUnknown`."""
    async with db.reading(actor) as tx:
        await store.read_monitor(tx, id)
    async with db.transaction(SERVICE) as tx:
        await store.remove_monitor(tx, id)


async def tell(db: Database, _now: datetime) -> int:
    """Tell lines that were crossed; gives how many."""
    async with db.transaction(SERVICE) as tx:
        hits = await store.lock_hits(tx, limit=TELL_ROWS)
        await outbox.publish(tx, *(_crossed(hit) for hit in hits))
        await store.set_told(tx, hits)
    return len(hits)


def _crossed(hit: Hit) -> BalanceCrossed:
    return BalanceCrossed(
        monitor_id=hit.monitor.id,
        account_id=hit.monitor.account_id,
        op=hit.monitor.op,
        threshold=hit.monitor.threshold,
        before=hit.before,
        after=hit.after,
    )
