"""What organisations may use, and what they have used of it."""

from pathlib import Path

from alembic import op

from hazina.pg import IS_STAFF, ORG_ID, protect

FUNCTIONS = Path(__file__).parents[1] / "functions"


revision = "20261121053000"
down_revision = "20261121052000"
branch_labels = None
depends_on = None

OWN = f"org_id = {ORG_ID} or {IS_STAFF}"

TABLES = """
create table entitlement_grants (
    id uuid default uuidv7() not null,
    org_id uuid not null,
    source_kind text not null,
    source_id text not null,
    feature_key text not null,
    flag boolean,
    add bigint,
    set bigint,
    static bigint,
    reason text,
    ends_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint entitlement_grants_once_per_source unique (source_kind, source_id, feature_key),
    constraint entitlement_grants_source_known check (source_kind in ('stake', 'membership', 'promo', 'override')),
    constraint entitlement_grants_one_effect check (num_nonnulls(flag, add, "set", static) = 1)
);
create index entitlement_grants_org_id on entitlement_grants (org_id) where revoked_at is null;
comment on table entitlement_grants is 'What an organisation may use beside its plan: by stake, membership, gift or override.';
comment on column entitlement_grants.flag is 'Switches a feature on.';
comment on column entitlement_grants.add is 'Raises a limit; -1 makes it unlimited.';
comment on column entitlement_grants.set is 'Replaces a limit.';
comment on column entitlement_grants.static is 'A value such as a vote''s weight; the largest counts.';

create table entitlement_snapshots (
    org_id uuid not null,
    version bigint not null,
    plan text not null,
    plan_version integer not null,
    status text not null,
    limits jsonb not null,
    features jsonb not null,
    statics jsonb not null,
    over_limit text[] not null,
    digest text not null,
    created_at timestamptz default clock_timestamp() not null,
    updated_at timestamptz default clock_timestamp() not null,
    primary key (org_id)
);
comment on table entitlement_snapshots is 'What each organisation may use right now, as every service was told.';
comment on column entitlement_snapshots.version is 'Rises only when the digest changes.';
comment on column entitlement_snapshots.status is 'Of the live subscription.';
comment on column entitlement_snapshots.limits is 'By key; -1 is unlimited.';
comment on column entitlement_snapshots.features is 'Flags by name.';
comment on column entitlement_snapshots.over_limit is 'Levels that hold more than allowed: nothing is lost, nothing may be added.';
comment on column entitlement_snapshots.digest is 'SHA-256 over all but the version.';

create table quota_windows (
    org_id uuid not null,
    feature_key text not null,
    scope_kind text not null,
    scope_id text not null,
    window_start timestamptz not null,
    window_end timestamptz,
    limit_value bigint not null,
    used bigint default 0 not null,
    reserved bigint default 0 not null,
    notified_pct integer default 0 not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (org_id, feature_key, scope_kind, scope_id, window_start),
    constraint quota_windows_scope_known check (scope_kind in ('org', 'user', 'api_key', 'model')),
    constraint quota_windows_reserved_never_negative check (reserved >= 0)
)
 with (fillfactor = 50);
comment on table quota_windows is 'What was used of a limit in a window, and is set aside. A level starts at the epoch.';
comment on column quota_windows.window_end is 'Null for a level: what stands until it is taken away.';
"""


def upgrade() -> None:
    """Make them."""
    op.execute(TABLES)
    for table in ("entitlement_grants", "entitlement_snapshots", "quota_windows"):
        op.execute(protect(table, read=OWN))
    op.execute(
        "create trigger entitlement_snapshots_touched before update on entitlement_snapshots"
        " for each row execute function update_updated_at_column()"
    )
    for function in ("free_snapshot", "check_feature_access"):
        op.execute((FUNCTIONS / f"{function}.sql").read_text())


def downgrade() -> None:
    """Take them away; what they hold is lost."""
    op.execute("drop function check_feature_access, free_snapshot")
    op.execute("drop table quota_windows, entitlement_snapshots, entitlement_grants")
