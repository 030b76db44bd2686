"""The SQL of questions. Reads; decides nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text

from billing import tables
from billing.access.rules import Count, Counted
from billing.catalog.rules import Reset
from hazina.pg import Transaction

SEATS = "max_seats"  # counted by members, not by events

# Flags and limits come from the plan that the snapshot names, which is Free for who does not pay.
FEATURE = text("""
    select f.reset_interval, f.enforcement, f.requires,
        case when f.feature_key = 'max_seats' then 'seat' else m.unit end as unit,
        (select event_type from meter_event_types t
         where t.meter_key = m.key and t.sign = 1 and m.aggregation = 'sum') as event_type
    from plan_features f
    join plans p on p.id = f.plan_id and p.code = :plan and p.version = :plan_version
    left join meters m on m.key = f.meter_key
    where f.feature_key = :feature
""")
LIVE_ANCHOR = text("""
    select anchor_at from org_subscriptions where org_id = :org_id
        and status in ('trialing', 'active', 'past_due', 'paused', 'unpaid')
""")
MEMBERS = text("select count(*) from member where org_id = :org_id and status = 'active'")


async def find_snapshot(tx: Transaction, org_id: UUID) -> Row[Any] | None:
    """Read what an organisation may use."""
    snapshot = tables.entitlement_snapshots
    return (await tx.execute(select(snapshot).where(snapshot.c.org_id == org_id))).one_or_none()


async def list_grants(tx: Transaction, org_id: UUID, now: datetime) -> Sequence[Row[Any]]:
    """Read what is granted beside the plan, and since when."""
    grant = tables.entitlement_grants
    asked = (
        select(grant)
        .where(
            grant.c.org_id == org_id,
            grant.c.revoked_at.is_(None),
            grant.c.ends_at.is_(None) | (grant.c.ends_at > now),
        )
        .order_by(grant.c.id)
    )
    return (await tx.execute(asked)).all()


async def read_counted(tx: Transaction, plan: str, version: int, feature: str) -> Counted:
    """Read how the plan counts a feature; one that only grants know is a hard level."""
    asked = {"plan": plan, "plan_version": version, "feature": feature}
    row = (await tx.execute(FEATURE, asked)).one_or_none()
    if row is None:
        return Counted()
    return Counted(
        Reset(row.reset_interval), row.enforcement, row.requires, row.unit, row.event_type
    )


async def read_anchor(tx: Transaction, org_id: UUID) -> datetime:
    """Read the moment from which the organisation's windows step."""
    found: datetime = (await tx.execute(LIVE_ANCHOR, {"org_id": org_id})).scalar_one()
    return found


async def read_count(
    tx: Transaction, org_id: UUID, feature: str, window_start: datetime | None
) -> Count:
    """Read what was used of a feature in a window, or of a level when there is none."""
    if feature == SEATS:
        return Count((await tx.execute(MEMBERS, {"org_id": org_id})).scalar_one())
    counter = tables.quota_windows
    at = (
        counter.c.window_end.is_(None)
        if window_start is None
        else (counter.c.window_start == window_start)
    )
    row = (
        await tx.execute(
            select(counter.c.used, counter.c.reserved).where(
                counter.c.org_id == org_id,
                counter.c.feature_key == feature,
                counter.c.scope_kind == "org",
                at,
            )
        )
    ).one_or_none()
    return Count() if row is None else Count(row.used, row.reserved)
