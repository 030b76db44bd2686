"""What can be done with usage: count it, once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from billing.usage import rules, store
from billing.usage.events import ThresholdReached
from billing.usage.rules import LEVEL_START, Fact
from hazina import outbox
from hazina.pg import SERVICE, Database, Transaction

MONTHS_AHEAD = 2


async def record_in(tx: Transaction, facts: Sequence[Fact], now: datetime) -> set[UUID]:
    """Count facts that were not counted before; give the keys of those.

    Windows before days and months: who has locked a window may still come here.
    """
    org_ids = sorted({fact.org_id for fact in facts})
    if rules.turns(now):
        await store.lock_orgs(tx, org_ids)
    fresh = await store.add_events(tx, facts, rules.month(now), now)
    counted = {(fact.org_id, fact.key): fact for fact in facts}
    new = [fact for key, fact in counted.items() if key in fresh]
    if not new:
        return set()
    meters = await store.list_meters(tx, sorted({fact.event_type for fact in new}))
    keys = sorted({meter.key for meter in meters.values()})
    counters = await store.list_counters(tx, org_ids, keys)

    used = rules.count(new, meters, counters)
    totals = rules.fold(new, meters)

    for window in await store.add_used(tx, used):
        pct = rules.reached(window.used, window.span.limit, window.notified_pct)
        if pct is not None:
            await store.set_notified(tx, window.span, pct)
            await outbox.publish(tx, _told(window, pct))
    await store.add_totals(tx, totals)
    return {fact.key for fact in new}


async def ensure_partitions(db: Database) -> int:
    """See to it that months to come have their partitions; give how many were made."""
    async with db.transaction(SERVICE) as tx:
        return await store.ensure_partitions(tx, MONTHS_AHEAD)


def _told(window: store.Counted, pct: int) -> ThresholdReached:
    span = window.span
    return ThresholdReached(
        org_id=span.org_id,
        feature=span.feature,
        pct=pct,
        limit=span.limit,
        used=window.used,
        window_start=None if span.start == LEVEL_START else span.start,
    )
