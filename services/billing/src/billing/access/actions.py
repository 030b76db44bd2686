"""What can be asked: everything an organisation may use, or one feature of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from billing.access import rules, store
from billing.access.rules import Access, Counted, Entitled
from billing.catalog.rules import window
from billing.customer.rules import OrgUnknown
from billing.subscription import actions as subscription
from hazina.auth import Caller
from hazina.pg import Database, Transaction


@dataclass(frozen=True, slots=True)
class Entitlements:
    """A snapshot, with the grants that went into it."""

    snapshot: Row[Any]
    grants: list[Row[Any]]


async def read(db: Database, caller: Caller, org_id: UUID, now: datetime) -> Entitlements:
    """Give everything that an organisation may use."""
    await _ensure(db, caller, org_id, now)
    async with db.reading(caller.actor) as tx:
        snapshot = await store.find_snapshot(tx, org_id)
        if snapshot is None:
            raise OrgUnknown(org_id=str(org_id))
        return Entitlements(snapshot, list(await store.list_grants(tx, org_id, now)))


@dataclass(frozen=True, slots=True)
class Asked:
    """What decides about one feature of an organisation, but for what was used of it."""

    entitled: Entitled
    counted: Counted
    window: tuple[datetime, datetime] | tuple[None, None]


async def look(
    db: Database, caller: Caller, org_id: UUID, feature: str, *, quantity: int, now: datetime
) -> Access:
    """Say whether `quantity` more of a feature may be used now.

    Raises OrgUnknown, FeatureUnknown.
    """
    await _ensure(db, caller, org_id, now)
    async with db.reading(caller.actor) as tx:
        asked = await ask_in(tx, org_id, feature, now)
        count = await store.read_count(tx, org_id, feature, asked.window[0])
    return rules.look(
        asked.entitled, feature, asked.counted, count, quantity=quantity, window=asked.window
    )


async def ask_in(tx: Transaction, org_id: UUID, feature: str, now: datetime) -> Asked:
    """Read what decides about a feature. Raises OrgUnknown."""
    snapshot = await store.find_snapshot(tx, org_id)
    if snapshot is None:
        raise OrgUnknown(org_id=str(org_id))
    counted = await store.read_counted(tx, snapshot.plan, snapshot.plan_version, feature)
    entitled = Entitled(
        org_id,
        snapshot.version,
        snapshot.plan,
        snapshot.limits,
        snapshot.features,
        snapshot.statics,
    )
    span = window(counted.reset, await store.read_anchor(tx, org_id), now)
    return Asked(entitled, counted, span)


async def _ensure(db: Database, caller: Caller, org_id: UUID, now: datetime) -> None:
    """Give the caller's own organisation its Free subscription; a token may outrun facts."""
    if caller.org_id == org_id:
        await subscription.ensure(db, org_id, now)
