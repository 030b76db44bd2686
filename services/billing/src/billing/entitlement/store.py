"""The SQL of snapshots. Reads and writes; decides nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import select, text

from billing import tables
from billing.catalog.rules import in_units
from billing.entitlement.rules import SEATS, Grant, Snapshot, Standing, Terms
from hazina.pg import Transaction

REFRESH_ORGS = 500  # settled anew in one transaction

# Held shared by whoever computes from the catalogue; who edits the catalogue waits for them.
HOLD_CATALOGUE = text("select pg_advisory_xact_lock_shared('plan_features'::regclass::oid::bigint)")
TERMS = text("""
    select plans.id, plans.code, plans.version,
        jsonb_object_agg(feature_key, limit_value) filter (where limit_value is not null) as limits,
        (select flags from plan_features
         where plan_id = plans.id and feature_key = 'features') as flags
    from plans join plan_features on plan_id = plans.id
    where plans.id = any (cast(:plan_ids as uuid[]))
       or plans.id = (select id from plans where code = 'free' and state = 'published'
                      order by version desc limit 1)
    group by plans.id
    order by plans.code = 'free' and plans.state = 'published', plans.version
""")
STANDINGS = text("""
    select org_id, plan_id, status::text, seats from org_subscriptions
    where org_id = any (cast(:org_ids as uuid[]))
        and status in ('trialing', 'active', 'past_due', 'paused', 'unpaid')
    order by org_id
""")
GRANTS = text("""
    select org_id, feature_key, flag, add, "set", static from entitlement_grants
    where org_id = any (cast(:org_ids as uuid[])) and revoked_at is null
        and (ends_at is null or ends_at > :now)
""")
# A level is what stands until it is taken away: it may dip below zero while events are on the way.
LEVELS = text("""
    select org_id, feature_key, used from quota_windows
    where org_id = any (cast(:org_ids as uuid[])) and scope_kind = 'org' and window_end is null
    union all
    select org_id, :seats, count(*) from member
    where org_id = any (cast(:org_ids as uuid[])) and status = 'active' group by org_id
""")
SET = text("""
    insert into entitlement_snapshots
        (org_id, version, plan, plan_version, status, limits, features, statics, over_limit, digest)
    values (:org_id, :version, :plan, :plan_version, :status, :limits, :features, :statics,
            :over_limit, :digest)
    on conflict (org_id) do update
       set version = excluded.version, plan = excluded.plan, plan_version = excluded.plan_version,
           status = excluded.status, limits = excluded.limits, features = excluded.features,
           statics = excluded.statics, over_limit = excluded.over_limit, digest = excluded.digest
""")
# Rows are locked in the order in which usage is counted, so that neither waits for ever.
SET_LIMITS = text("""
    with open as (
        select feature_key, window_start, scope_id from quota_windows
        where org_id = :org_id and scope_kind = 'org' and (window_end is null or window_end > :now)
            and cast(:limits as jsonb) ? feature_key
        order by feature_key, window_start for update
    )
    update quota_windows w
       set limit_value = (cast(:limits as jsonb) ->> w.feature_key)::bigint
      from open
     where w.org_id = :org_id and w.scope_kind = 'org' and w.scope_id = open.scope_id
       and w.feature_key = open.feature_key and w.window_start = open.window_start
""")
NEXT_REFRESH = text("""
    select change_id, plan_id, after_org from entitlement_refreshes
    where done_at is null order by change_id limit 1 for update skip locked
""")
ON_PLAN = text("""
    select org_id from org_subscriptions
    where status in ('trialing', 'active', 'past_due', 'paused', 'unpaid')
        -- Those who do not pay have Free's, whatever plan they are on.
        and (plan_id = :plan_id or status in ('paused', 'unpaid'))
        and (cast(:after as uuid) is null or org_id > :after)
    order by org_id limit :rows
""")
ADVANCE = text("""
    update entitlement_refreshes
       set after_org = :after, done_at = cast(:done_at as timestamptz)
     where change_id = :change_id
""")


async def hold_catalogue(tx: Transaction) -> None:
    """Keep the catalogue as it is until the transaction ends."""
    await tx.execute(HOLD_CATALOGUE)


async def list_standings(tx: Transaction, org_ids: Sequence[UUID]) -> tuple[list[Standing], Terms]:
    """Read the live subscriptions of these organisations, and what Free allows."""
    rows = (await tx.execute(STANDINGS, {"org_ids": list(org_ids)})).all()
    plan_ids = sorted({row.plan_id for row in rows})
    terms = {
        row.id: Terms(row.code, row.version, row.limits, row.flags)
        for row in await tx.execute(TERMS, {"plan_ids": plan_ids})
    }
    free = list(terms.values())[-1]  # the statement puts it last
    standings = [Standing(row.org_id, row.status, terms[row.plan_id], row.seats) for row in rows]
    return standings, free


async def list_grants(
    tx: Transaction, org_ids: Sequence[UUID], now: datetime
) -> Mapping[UUID, list[Grant]]:
    """Read what is granted beside plans, by organisation."""
    found: dict[UUID, list[Grant]] = {org_id: [] for org_id in org_ids}
    for row in await tx.execute(GRANTS, {"org_ids": list(org_ids), "now": now}):
        found[row.org_id].append(Grant(row.feature_key, row.flag, row.add, row.set, row.static))
    return found


async def list_levels(tx: Transaction, org_ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, int]]:
    """Read what stands of each feature that is never reset, by organisation."""
    found: dict[UUID, dict[str, int]] = {org_id: {} for org_id in org_ids}
    for row in await tx.execute(LEVELS, {"org_ids": list(org_ids), "seats": SEATS}):
        found[row.org_id][row.feature_key] = row.used
    return found


async def list_snapshots(tx: Transaction, org_ids: Sequence[UUID]) -> Mapping[UUID, Snapshot]:
    """Read the snapshots that there are, by organisation."""
    snapshot = tables.entitlement_snapshots
    rows = await tx.execute(select(snapshot).where(snapshot.c.org_id.in_(org_ids)))
    return {
        row.org_id: Snapshot(
            org_id=row.org_id,
            version=row.version,
            plan=row.plan,
            plan_version=row.plan_version,
            status=row.status,
            limits=row.limits,
            features=row.features,
            statics=row.statics,
            over_limit=tuple(row.over_limit),
            digest=row.digest,
        )
        for row in rows
    }


async def set_snapshots(tx: Transaction, snapshots: Iterable[Snapshot], now: datetime) -> None:
    """Write these snapshots over what there was; windows that are open get the new limits."""
    for snapshot in snapshots:
        await tx.execute(
            SET,
            {
                "org_id": snapshot.org_id,
                "version": snapshot.version,
                "plan": snapshot.plan,
                "plan_version": snapshot.plan_version,
                "status": snapshot.status,
                "limits": Jsonb(dict(snapshot.limits)),
                "features": Jsonb(dict(snapshot.features)),
                "statics": Jsonb(dict(snapshot.statics)),
                "over_limit": list(snapshot.over_limit),
                "digest": snapshot.digest,
            },
        )
        limits = {key: in_units(key, limit) for key, limit in snapshot.limits.items()}
        await tx.execute(
            SET_LIMITS, {"org_id": snapshot.org_id, "now": now, "limits": Jsonb(limits)}
        )


async def lock_refresh(tx: Transaction) -> tuple[UUID, UUID, UUID | None] | None:
    """Take the oldest refresh that nobody else works on: its change, its plan, how far it got."""
    row = (await tx.execute(NEXT_REFRESH)).one_or_none()
    return None if row is None else (row.change_id, row.plan_id, row.after_org)


async def list_on_plan(tx: Transaction, plan_id: UUID, after: UUID | None) -> list[UUID]:
    """Read the next organisations whom a change of the plan concerns, in order."""
    asked = {"plan_id": plan_id, "after": after, "rows": REFRESH_ORGS}
    return list((await tx.execute(ON_PLAN, asked)).scalars())


async def set_refreshed(
    tx: Transaction, change_id: UUID, after: UUID | None, done_at: datetime | None
) -> None:
    """Note how far the refresh got, and when it was done."""
    await tx.execute(ADVANCE, {"change_id": change_id, "after": after, "done_at": done_at})
