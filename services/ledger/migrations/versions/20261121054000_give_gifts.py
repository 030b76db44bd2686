"""Gifts: what can be given, and what was."""

from alembic import op

from hazina.pg import IS_STAFF, USER_ID, protect, protect_open

revision = "20261121054000"
down_revision = "20261121053500"
branch_labels = None
depends_on = None

TABLES = """
create table gift_types (
    id uuid not null,
    code text not null,
    name text not null,
    coin_cost bigint not null,
    share_bps integer not null,
    animation_url text,
    is_active boolean not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint gift_types_code unique (code),
    constraint gift_types_cost_something check (coin_cost > 0),
    constraint gift_types_share check (share_bps between 0 and 10000)
);
comment on table gift_types is 'What can be given, what it costs, and how it is shared.';
comment on column gift_types.share_bps is 'The recipient''s part, of 10000.';

create table gifts (
    id uuid not null,
    sender_id uuid not null,
    recipient_id uuid not null,
    gift_type_id uuid not null,
    quantity integer not null,
    coin_amount bigint not null,
    streamer_revenue bigint not null,
    platform_revenue bigint not null,
    stream_id uuid,
    box_id uuid,
    combo_id uuid,
    transaction_id uuid not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint gifts_split check (coin_amount = streamer_revenue + platform_revenue),
    constraint gifts_to_another check (sender_id <> recipient_id)
);
create index gifts_recipient_id on gifts (recipient_id, id);
create index gifts_sender_id on gifts (sender_id, id);
comment on table gifts is 'Coins that became somebody''s earnings. Rows are only ever added.';
comment on column gifts.id is 'The same as its transaction''s.';

create table gift_reversals (
    gift_id uuid not null,
    transaction_id uuid not null,
    reason text not null,
    absorbed bigint not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (gift_id)
);
comment on table gift_reversals is 'Gifts that were taken back, each once. Rows are only ever added.';
comment on column gift_reversals.absorbed is 'Earnings that were spent: our loss.';
"""

SEEDS = """
insert into gift_types (id, code, name, coin_cost, share_bps, is_active) values
    ('00000000-0000-7000-8000-000061f70001', 'rose', 'Rose', 1, 7000, true),
    ('00000000-0000-7000-8000-000061f70010', 'drum', 'Drum', 10, 7000, true),
    ('00000000-0000-7000-8000-000061f70100', 'lion', 'Lion', 100, 7000, true),
    ('00000000-0000-7000-8000-000061f71000', 'dhow', 'Dhow', 1000, 7000, true),
    ('00000000-0000-7000-8000-000061f75000', 'kilimanjaro', 'Kilimanjaro', 5000, 7000, true);
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(protect_open("gift_types"))
    op.execute(protect("gifts", read=f"{USER_ID} in (sender_id, recipient_id) or {IS_STAFF}"))
    # Whoever may see the gift may see that it was taken back.
    op.execute(protect("gift_reversals", read="exists (select from gifts where id = gift_id)"))
    op.execute("revoke update, delete, truncate on gifts, gift_reversals from ledger")
    op.execute(SEEDS)


def downgrade() -> None:
    for name in ("gift_reversals", "gifts", "gift_types"):
        op.execute(f"drop table {name}")
