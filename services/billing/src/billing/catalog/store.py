"""The catalogue's SQL. Reads and writes; decides nothing."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text, update

from billing import tables
from billing.catalog.rules import Feature, FeatureUnknown, PlanUnknown, Reset
from hazina.pg import Transaction

PLANS = text("""
    with newest as (
        select distinct on (code) * from plans
        where state = 'published' and (cast(:code as text) is null or code = :code)
        order by code, version desc
    )
    select newest.id, newest.code, newest.version, newest.name,
        (select coalesce(jsonb_object_agg(feature_key, limit_value), '{}') from plan_features
         where plan_id = newest.id and limit_value is not null) as limits,
        (select flags from plan_features
         where plan_id = newest.id and feature_key = 'features') as features
    from newest
    order by (select min(created_at) from plans where code = newest.code), newest.id
""")


async def list_plans(tx: Transaction, code: str | None = None) -> Sequence[Row[Any]]:
    """Read the newest published version of each plan, or of one."""
    return (await tx.execute(PLANS, {"code": code})).all()


async def list_prices(tx: Transaction, plan_ids: Sequence[UUID]) -> Mapping[UUID, list[Row[Any]]]:
    """Read what plans cost, by plan."""
    price, product = tables.prices, tables.products
    rows = await tx.execute(
        select(price, product.c.plan_id)
        .join(product, product.c.id == price.c.product_id)
        .where(product.c.plan_id.in_(plan_ids))
        .order_by(price.c.id)
    )
    found: dict[UUID, list[Row[Any]]] = {plan_id: [] for plan_id in plan_ids}
    for row in rows:
        found[row.plan_id].append(row)
    return found


async def find_plan_id(tx: Transaction, code: str, version: int | None) -> UUID:
    """Read which plan that is: the version asked for, else the newest published one."""
    plan = tables.plans
    asked = select(plan.c.id).where(plan.c.code == code).order_by(plan.c.version.desc()).limit(1)
    if version is None:
        asked = asked.where(plan.c.state == "published")
    else:
        asked = asked.where(plan.c.version == version)
    found: UUID | None = (await tx.execute(asked)).scalar_one_or_none()
    if found is None:
        raise PlanUnknown(plan=code)
    return found


async def list_features(tx: Transaction, plan_id: UUID) -> Sequence[Row[Any]]:
    """Read the rows of one version of a plan."""
    feature = tables.plan_features
    asked = select(feature).where(feature.c.plan_id == plan_id).order_by(feature.c.feature_key)
    return (await tx.execute(asked)).all()


async def lock_feature(tx: Transaction, plan_id: UUID, key: str) -> Feature:
    """Read one row and hold it until the transaction ends."""
    feature = tables.plan_features
    asked = (
        select(feature)
        .where(feature.c.plan_id == plan_id, feature.c.feature_key == key)
        .with_for_update()
    )
    row = (await tx.execute(asked)).one_or_none()
    if row is None:
        raise FeatureUnknown(feature=key)
    return Feature(
        plan_id=row.plan_id,
        feature_key=row.feature_key,
        limit_value=row.limit_value,
        flags=row.flags,
        meter_key=row.meter_key,
        reset_interval=Reset(row.reset_interval),
        enforcement=row.enforcement,
        requires=row.requires,
        row_version=row.row_version,
    )


async def set_feature(tx: Transaction, wanted: Feature) -> Row[Any]:
    """Write what was edited; a trigger counts the version and asks for a refresh."""
    feature = tables.plan_features
    written = await tx.execute(
        update(feature)
        .where(feature.c.plan_id == wanted.plan_id, feature.c.feature_key == wanted.feature_key)
        .values(
            limit_value=wanted.limit_value,
            flags=dict(wanted.flags),
            enforcement=wanted.enforcement,
        )
        .returning(feature)
    )
    row: Row[Any] = written.one()
    return row
