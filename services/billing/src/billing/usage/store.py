"""The SQL of usage. Reads and writes; decides nothing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text

from billing.catalog.rules import Reset, in_units
from billing.usage.rules import Bucket, Counter, Fact, Meter, Span, Total
from hazina.pg import Transaction

LOCK_ORGS = text("""
    select pg_advisory_xact_lock(hashtextextended(org::text, 0))
    from (select unnest(cast(:orgs as uuid[])) as org order by 1) as orgs
""")
# Two earlier months are probed: a fact may be 35 days old, and its first copy as old again.
ADD = text("""
    insert into usage_events (received_month, org_id, event_key, event_id, source, event_type,
                              quantity, user_id, data, occurred_at, received_at)
    select :month, org, key, id, source, type, quantity, by_user, cast(data as jsonb), occurred,
        :now
    from unnest(cast(:orgs as uuid[]), cast(:keys as uuid[]), cast(:ids as text[]),
                cast(:sources as text[]), cast(:types as text[]), cast(:quantities as bigint[]),
                cast(:users as uuid[]), cast(:datas as text[]), cast(:occurred as timestamptz[]))
         as told (org, key, id, source, type, quantity, by_user, data, occurred)
    where not exists (
        select from usage_events e where e.org_id = org and e.event_key = key
            and e.received_month < :month and e.received_month >= :month - interval '2 months')
    order by org, key
    on conflict do nothing
    returning org_id, event_key
""")
METERS = text("""
    select t.event_type, t.meter_key, t.sign from meter_event_types t
    join meters m on m.key = t.meter_key and m.aggregation = 'sum'
    where t.event_type = any (cast(:types as text[]))
""")
# What an organisation may use decides: the plan of its snapshot, and the limits in it.
COUNTERS = text("""
    select s.org_id, f.feature_key, f.meter_key, f.reset_interval, sub.anchor_at,
        coalesce((s.limits ->> f.feature_key)::bigint, f.limit_value) as most
    from entitlement_snapshots s
    join plans p on p.code = s.plan and p.version = s.plan_version
    join plan_features f on f.plan_id = p.id and f.meter_key = any (cast(:meters as text[]))
    join org_subscriptions sub on sub.org_id = s.org_id
        and sub.status in ('trialing', 'active', 'past_due', 'paused', 'unpaid')
    where s.org_id = any (cast(:orgs as uuid[]))
""")
COUNT = text("""
    insert into quota_windows (org_id, feature_key, scope_kind, scope_id, window_start, window_end,
                               limit_value, used)
    select org, feature, 'org', '', start, finish, most, used
    from unnest(cast(:orgs as uuid[]), cast(:features as text[]), cast(:starts as timestamptz[]),
                cast(:ends as timestamptz[]), cast(:limits as bigint[]), cast(:used as bigint[]))
         as told (org, feature, start, finish, most, used)
    order by org, feature, start
    on conflict (org_id, feature_key, scope_kind, scope_id, window_start) do update
       set used = quota_windows.used + excluded.used, limit_value = excluded.limit_value
    returning org_id, feature_key, window_start, window_end, limit_value, used, notified_pct
""")
FOLD = text("""
    insert into usage_aggregations as a (org_id, meter_key, period, bucket, sum, cnt, max)
    select * from unnest(cast(:orgs as uuid[]), cast(:meters as text[]), cast(:periods as text[]),
                         cast(:starts as date[]), cast(:sums as bigint[]),
                         cast(:counts as bigint[]), cast(:mosts as bigint[]))
    on conflict (org_id, meter_key, period, bucket) do update
       set sum = a.sum + excluded.sum, cnt = a.cnt + excluded.cnt,
           max = greatest(a.max, excluded.max)
""")
NOTIFY = text("""
    update quota_windows set notified_pct = :pct
    where org_id = :org_id and feature_key = :feature and scope_kind = 'org' and scope_id = ''
        and window_start = :start
""")
PARTITIONS = text("select usage_ensure_partitions(:months)")


@dataclass(frozen=True, slots=True)
class Counted:
    """A window after facts were counted in it."""

    span: Span
    used: int
    notified_pct: int


async def lock_orgs(tx: Transaction, org_ids: Sequence[UUID]) -> None:
    """Be the only one who adds usage of these organisations until the transaction ends."""
    await tx.execute(LOCK_ORGS, {"orgs": list(org_ids)})


async def add_events(
    tx: Transaction, facts: Sequence[Fact], month: date, now: datetime
) -> set[tuple[UUID, UUID]]:
    """Write facts that were not told before; give the (organisation, key) of those."""
    data = [_json(fact.data) for fact in facts]
    written = await tx.execute(
        ADD,
        {
            "month": month,
            "now": now,
            "orgs": [fact.org_id for fact in facts],
            "keys": [fact.key for fact in facts],
            "ids": [fact.event_id for fact in facts],
            "sources": [fact.source for fact in facts],
            "types": [fact.event_type for fact in facts],
            "quantities": [fact.quantity for fact in facts],
            "users": [fact.user_id for fact in facts],
            "datas": data,
            "occurred": [fact.occurred_at for fact in facts],
        },
    )
    return {(row.org_id, row.event_key) for row in written}


async def list_meters(tx: Transaction, types: Sequence[str]) -> Mapping[str, Meter]:
    """Read on which meters these types of events count."""
    rows = await tx.execute(METERS, {"types": list(types)})
    return {row.event_type: Meter(row.meter_key, row.sign) for row in rows}


async def list_counters(
    tx: Transaction, org_ids: Sequence[UUID], meters: Sequence[str]
) -> list[Counter]:
    """Read the limits that these meters count against, in the meters' units."""
    rows = await tx.execute(COUNTERS, {"orgs": list(org_ids), "meters": list(meters)})
    return [
        Counter(
            row.org_id,
            row.feature_key,
            row.meter_key,
            Reset(row.reset_interval),
            row.anchor_at,
            in_units(row.feature_key, row.most),
        )
        for row in rows
    ]


async def add_used(tx: Transaction, used: Mapping[Span, int]) -> list[Counted]:
    """Count in windows, in one order for all; give them as they are now."""
    spans = sorted(used)
    written = await tx.execute(
        COUNT,
        {
            "orgs": [span.org_id for span in spans],
            "features": [span.feature for span in spans],
            "starts": [span.start for span in spans],
            "ends": [span.end for span in spans],
            "limits": [span.limit for span in spans],
            "used": [used[span] for span in spans],
        },
    )
    return [
        Counted(
            Span(row.org_id, row.feature_key, row.window_start, row.window_end, row.limit_value),
            row.used,
            row.notified_pct,
        )
        for row in written
    ]


async def add_totals(tx: Transaction, totals: Mapping[Bucket, Total]) -> None:
    """Add to days and months, in one order for all."""
    buckets = sorted(totals)
    await tx.execute(
        FOLD,
        {
            "orgs": [bucket.org_id for bucket in buckets],
            "meters": [bucket.meter for bucket in buckets],
            "periods": [bucket.period for bucket in buckets],
            "starts": [bucket.start for bucket in buckets],
            "sums": [totals[bucket].sum for bucket in buckets],
            "counts": [totals[bucket].count for bucket in buckets],
            "mosts": [totals[bucket].most for bucket in buckets],
        },
    )


async def set_notified(tx: Transaction, span: Span, pct: int) -> None:
    """Note which threshold was told of a window."""
    told = {"org_id": span.org_id, "feature": span.feature, "start": span.start, "pct": pct}
    await tx.execute(NOTIFY, told)


async def ensure_partitions(tx: Transaction, months: int) -> int:
    """Make the partitions of this month and of months ahead; give how many were missing."""
    made: int = (await tx.execute(PARTITIONS, {"months": months})).scalar_one()
    return made


def _json(data: Mapping[str, object]) -> str:
    return json.dumps(dict(data))
