"""Use that is set aside before it happens, and settled when it did."""

from alembic import op

from hazina.pg import IS_STAFF, ORG_ID, protect

revision = "20261121065000"
down_revision = "20261121064000"
branch_labels = None
depends_on = None

OWN = f"org_id = {ORG_ID} or {IS_STAFF}"

TABLES = """
create table quota_reservations (
    id uuid default uuidv7() not null,
    org_id uuid not null,
    feature_key text not null,
    user_id uuid,
    windows jsonb not null,
    amount bigint not null,
    settled bigint default 0 not null,
    status text default 'open' not null,
    expires_at timestamptz not null,
    key uuid not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint quota_reservations_amounts_counted check (amount > 0 and settled >= 0),
    constraint quota_reservations_status_known check (status in ('open', 'settled', 'expired')),
    constraint quota_reservations_once_per_attempt unique (org_id, key)
)
 with (fillfactor = 70);
create index quota_reservations_open on quota_reservations (expires_at) where status = 'open';
comment on table quota_reservations is 'Use that was promised and not told yet; what is settled of it becomes usage.';
comment on column quota_reservations.windows is 'In which windows it is set aside: their starts.';
comment on column quota_reservations.key is 'Of the attempt that made it.';
"""


def upgrade() -> None:
    """Make them."""
    op.execute(TABLES)
    op.execute(protect("quota_reservations", read=OWN))


def downgrade() -> None:
    """Take them away; what they hold is lost."""
    op.execute("drop table quota_reservations")
