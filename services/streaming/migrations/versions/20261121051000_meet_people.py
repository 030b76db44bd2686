"""Who the people are, as far as others told us."""

from alembic import op

from hazina.pg import ORG_ID, protect

revision = "20261121051000"
down_revision = "20261121050000"
branch_labels = None
depends_on = None

TABLES = """
create table profiles (
    id uuid not null,
    username text,
    display_name text,
    avatar_url text,
    status text default 'active' not null,
    follower_count bigint default '0' not null,
    following_count bigint default '0' not null,
    total_gifts_received bigint default '0' not null,
    total_gifts_sent bigint default '0' not null,
    supporter_coins bigint default '0' not null,
    is_live boolean default false not null,
    live_stream_id uuid,
    source_version bigint default '0' not null,
    created_at timestamptz default now() not null,
    updated_at timestamptz default now() not null,
    primary key (id),
    constraint profiles_status_known check (status in ('active', 'suspended', 'banned', 'erased')),
    constraint profiles_counts_never_negative check (follower_count >= 0 and following_count >= 0 and total_gifts_received >= 0 and total_gifts_sent >= 0 and supporter_coins >= 0),
    constraint profiles_live_somewhere check (is_live = (live_stream_id is not null))
);
comment on table profiles is 'People as identity tells of them, with what they did here. No foreign key points at it: a person''s events may come later than what they do.';
comment on column profiles.id is 'The user''s id.';
comment on column profiles.username is 'Empty until identity has told us.';
comment on column profiles.total_gifts_received is 'Coins of gifts received, reversed ones taken off.';
comment on column profiles.total_gifts_sent is 'Coins of gifts sent, reversed ones taken off.';
comment on column profiles.supporter_coins is 'Coins bought, less refunds and chargebacks; a supporter has more than none.';
comment on column profiles.live_stream_id is 'The stream that is live now, if one is.';
comment on column profiles.source_version is 'Newest version of the person that identity told; 0 for a stub of our own.';

create table entitlement_snapshot (
    org_id uuid not null,
    version bigint not null,
    limits jsonb not null,
    features jsonb not null,
    created_at timestamptz default now() not null,
    updated_at timestamptz default now() not null,
    primary key (org_id)
);
comment on table entitlement_snapshot is 'What an organisation may use, as billing last told.';
comment on column entitlement_snapshot.version is 'Billing''s; an older one is ignored.';
comment on column entitlement_snapshot.limits is 'Limit by key; -1 means unlimited.';
"""


def upgrade() -> None:
    """Make them."""
    op.execute(TABLES)
    op.execute(protect("profiles", read="true"))
    op.execute(protect("entitlement_snapshot", read=f"org_id = {ORG_ID}"))


def downgrade() -> None:
    """Take them away; what they hold is lost."""
    op.execute("drop table entitlement_snapshot, profiles")
