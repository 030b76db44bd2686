"""The SQL of subscriptions. Reads and writes; decides nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, text, update

from billing import tables
from billing.subscription.rules import LIVE, Plan, Subscription
from hazina.pg import Transaction

ROLL_ROWS = 500

NEWEST = text("""
    select plans.id, plans.code, plans.version, plan_features.limit_value as seats
    from plans join plan_features on plan_id = plans.id and feature_key = 'max_seats'
    where code = :code and state = 'published' order by version desc limit 1
""")
LIVE_OF = text("""
    select s.*, plans.code as plan, plans.version as plan_version, seat.limit_value as plan_seats,
        (select count(*) from member where org_id = s.org_id and status = 'active') as seats_used
    from org_subscriptions s
    join plans on plans.id = s.plan_id
    join plan_features seat on seat.plan_id = s.plan_id and seat.feature_key = 'max_seats'
    where s.org_id = :org_id
        and s.status in ('trialing', 'active', 'past_due', 'paused', 'unpaid')
""")


async def read_newest_plan(tx: Transaction, code: str) -> Plan:
    """Read the version of a plan that is sold today."""
    row = (await tx.execute(NEWEST, {"code": code})).one()
    return Plan(row.id, row.code, row.version, row.seats)


async def list_subscribed(tx: Transaction, org_ids: Sequence[UUID]) -> set[UUID]:
    """Tell which of these organisations have a live subscription."""
    subscription = tables.org_subscriptions
    asked = select(subscription.c.org_id).where(
        subscription.c.org_id.in_(org_ids), subscription.c.status.in_(LIVE)
    )
    return set((await tx.execute(asked)).scalars())


async def find_live(tx: Transaction, org_id: UUID) -> Row[Any] | None:
    """Read an organisation's live subscription with its plan and the seats in use."""
    return (await tx.execute(LIVE_OF, {"org_id": org_id})).one_or_none()


async def add_subscriptions(tx: Transaction, made: Sequence[Subscription], reason: str) -> None:
    """Write new subscriptions, and that they are new."""
    await tx.execute(
        insert(tables.org_subscriptions),
        [
            {
                "id": each.id,
                "org_id": each.org_id,
                "plan_id": each.plan.id,
                "provider": each.provider,
                "status": each.status,
                "interval": each.interval,
                "seats": each.extra_seats,
                "anchor_at": each.anchor_at,
                "current_period_start": each.current_period_start,
                "current_period_end": each.current_period_end,
            }
            for each in made
        ],
    )
    await tx.execute(
        insert(tables.subscription_changes),
        [
            {
                "org_id": each.org_id,
                "subscription_id": each.id,
                "to": {"plan": each.plan.code, "version": each.plan.version},
                "reason": reason,
                "kind": "new",
                "currency": "USD",
                "mrr_delta": 0,
            }
            for each in made
        ],
    )


async def lock_ended_periods(tx: Transaction, now: datetime) -> Sequence[Row[Any, Any, Any]]:
    """Take live subscriptions of our own clock whose period is over, and nobody else works on."""
    subscription = tables.org_subscriptions
    asked = (
        select(subscription.c.id, subscription.c.anchor_at, subscription.c.interval)
        .where(
            subscription.c.current_period_end <= now,
            subscription.c.status.in_(LIVE),
            subscription.c.provider == "none",
        )
        .order_by(subscription.c.current_period_end, subscription.c.id)
        .limit(ROLL_ROWS)
        .with_for_update(skip_locked=True)
    )
    return (await tx.execute(asked)).all()


async def set_period(tx: Transaction, id: UUID, start: datetime, end: datetime) -> None:
    """Write the period that a subscription is in."""
    subscription = tables.org_subscriptions
    await tx.execute(
        update(subscription)
        .where(subscription.c.id == id)
        .values(
            current_period_start=start,
            current_period_end=end,
            row_version=subscription.c.row_version + 1,
        )
    )
