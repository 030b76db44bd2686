"""What can be done with entitlements: settle them anew, and tell who has other ones now."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.customer import actions as customer
from billing.entitlement import rules, store
from billing.entitlement.events import EntitlementsChanged
from hazina import outbox
from hazina.outbox import Received
from hazina.pg import SERVICE, Database, Transaction


async def settle_in(
    tx: Transaction,
    org_ids: Sequence[UUID],
    now: datetime,
    causes: Mapping[UUID, Received[Any] | None] = {},
) -> int:
    """Compute what these organisations may use, and tell of each that changed; give how many."""
    await customer.lock_in(tx, org_ids)
    await store.hold_catalogue(tx)
    standings, free = await store.list_standings(tx, org_ids)
    grants = await store.list_grants(tx, org_ids, now)
    levels = await store.list_levels(tx, org_ids)
    before = await store.list_snapshots(tx, org_ids)

    settled = [
        rules.settle(
            standing,
            free=free,
            grants=grants[standing.org_id],
            levels=levels[standing.org_id],
            before=before.get(standing.org_id),
        )
        for standing in standings
    ]
    changed = [snapshot for snapshot in settled if snapshot is not before.get(snapshot.org_id)]

    await store.set_snapshots(tx, changed, now)
    for snapshot in changed:
        await outbox.publish(
            tx,
            EntitlementsChanged.of(snapshot),
            key_version=snapshot.version,
            cause=causes.get(snapshot.org_id),
        )
    return len(changed)


async def refresh(db: Database, now: datetime) -> int:
    """Bring one change of the catalogue to the next organisations it concerns; give how many.

    One transaction, so that a kill between two of them loses nothing.
    """
    async with db.transaction(SERVICE) as tx:
        found = await store.lock_refresh(tx)
        if found is None:
            return 0
        change_id, plan_id, after = found
        org_ids = await store.list_on_plan(tx, plan_id, after)
        if org_ids:
            await settle_in(tx, org_ids, now)
        more = len(org_ids) == store.REFRESH_ORGS
        last = org_ids[-1] if org_ids else after
        await store.set_refreshed(tx, change_id, last, None if more else now)
    return max(1, len(org_ids))
