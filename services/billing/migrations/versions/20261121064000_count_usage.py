"""What organisations used: every event once, and what it adds up to."""

from pathlib import Path

from alembic import op

from hazina.pg import IS_STAFF, ORG_ID, protect

FUNCTIONS = Path(__file__).parents[1] / "functions"


revision = "20261121064000"
down_revision = "20261121053000"
branch_labels = None
depends_on = None

DEFAULT = """
create table usage_events_default partition of usage_events default;
comment on table usage_events_default is 'Rows of months that nobody made a partition for.';
alter table usage_events_default enable row level security;
alter table usage_events_default force row level security;
revoke update, delete on usage_events, usage_events_default from billing;
"""

MONTHS_AHEAD = 2

OWN = f"org_id = {ORG_ID} or {IS_STAFF}"

TABLES = """
create table usage_events (
    received_month date not null,
    org_id uuid not null,
    event_key uuid not null,
    event_id text not null,
    source text not null,
    event_type text not null,
    quantity bigint not null,
    user_id uuid,
    data jsonb default '{}' not null,
    occurred_at timestamptz not null,
    received_at timestamptz not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (received_month, org_id, event_key),
    constraint usage_events_quantity_bounded check (quantity between 0 and 1000000000000)
)
 partition by range (received_month);
create index usage_events_occurred on usage_events using brin (occurred_at);
comment on table usage_events is 'What was used, each event once, in months by when we received it.';
comment on column usage_events.received_month is 'UTC; decides the partition.';
comment on column usage_events.event_key is 'SHA-256 of source, 0 and id; 16 bytes of it.';

create table usage_aggregations (
    org_id uuid not null,
    meter_key text not null,
    period text not null,
    bucket date not null,
    sum bigint not null,
    cnt bigint not null,
    max bigint not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (org_id, meter_key, period, bucket),
    constraint usage_aggregations_period_known check (period in ('day', 'month'))
)
 with (fillfactor = 70);
comment on table usage_aggregations is 'Usage by UTC day and month, folded in the transaction of each event.';
"""


def upgrade() -> None:
    """Make them."""
    op.execute(TABLES)
    op.execute(DEFAULT)
    op.execute(protect("usage_events", read=OWN))
    op.execute(protect("usage_aggregations", read=OWN))
    op.execute((FUNCTIONS / "usage_ensure_partitions.sql").read_text())
    op.execute(f"select usage_ensure_partitions({MONTHS_AHEAD})")


def downgrade() -> None:
    """Take them away; what they hold is lost."""
    op.execute("drop function usage_ensure_partitions")
    op.execute("drop table usage_aggregations, usage_events")
