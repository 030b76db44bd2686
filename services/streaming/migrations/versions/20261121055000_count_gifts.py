"""Gifts as the ledger tells of them, their sums, and boards."""

from pathlib import Path

from alembic import op

from hazina.pg import USER_ID, protect

SQL = Path(__file__).parents[1] / "functions"

revision = "20261121055000"
down_revision = "20261121054000"
branch_labels = None
depends_on = None

TABLES = """
create table gift_feed (
    gift_id uuid not null,
    stream_id uuid,
    box_id uuid,
    sender_id uuid,
    recipient_id uuid,
    gift_type text,
    quantity bigint,
    coin_amount bigint,
    chat_seq bigint,
    sent_at timestamptz,
    reversed_at timestamptz,
    created_at timestamptz default now() not null,
    updated_at timestamptz default now() not null,
    primary key (gift_id),
    constraint gift_feed_whole_or_reversed check (reversed_at is not null or (sender_id is not null and recipient_id is not null and gift_type is not null and quantity > 0 and coin_amount > 0 and sent_at is not null))
);
create index gift_feed_of_stream on gift_feed (stream_id, sent_at desc);
comment on table gift_feed is 'The ledger''s gifts, copied from its events; the money itself is the ledger''s alone.';
comment on column gift_feed.stream_id is 'Only a stream in which the recipient does appear; else empty.';
comment on column gift_feed.sender_id is 'Empty when the reversal came first.';
comment on column gift_feed.chat_seq is 'Its number in the stream''s chat.';

create table gift_totals (
    scope text not null,
    scope_id uuid not null,
    metric text not null,
    period text not null,
    window_start timestamptz not null,
    profile_id uuid not null,
    coins bigint not null,
    gifts bigint not null,
    reached_at timestamptz not null,
    created_at timestamptz default now() not null,
    updated_at timestamptz default now() not null,
    primary key (scope, scope_id, metric, period, window_start, profile_id),
    constraint gift_totals_never_negative check (coins >= 0 and gifts >= 0)
);
create index gift_totals_by_rank on gift_totals (scope, scope_id, metric, period, window_start, coins desc, reached_at, profile_id);
comment on table gift_totals is 'Coins and gifts per person, scope and window of time.';
comment on column gift_totals.scope is 'global, streamer or stream.';
comment on column gift_totals.scope_id is 'All zeros for global.';
comment on column gift_totals.metric is 'sent or received.';
comment on column gift_totals.period is 'day, week, month or all.';
comment on column gift_totals.window_start is 'UTC; weeks begin on Monday; 1970 for all time.';
comment on column gift_totals.reached_at is 'Earlier wins among equals.';

create table leaderboard_cache (
    scope text not null,
    scope_id uuid not null,
    metric text not null,
    period text not null,
    window_start timestamptz not null,
    rank bigint not null,
    profile_id uuid not null,
    coins bigint not null,
    gifts bigint not null,
    reached_at timestamptz not null,
    version bigint not null,
    computed_at timestamptz not null,
    primary key (scope, scope_id, metric, period, window_start, rank)
);
comment on table leaderboard_cache is 'The first 100 of each board. Recomputed whole: a live stream''s every 2 s, the day''s every 30 s, every other one every 5 min.';
comment on column leaderboard_cache.version is 'Grows when the board changes.';
"""


def upgrade() -> None:
    """Make them."""
    op.execute(TABLES)
    mine = f"stream_id is not null or sender_id = {USER_ID} or recipient_id = {USER_ID}"
    op.execute(protect("gift_feed", read=mine))
    op.execute(protect("gift_totals", read="true"))
    op.execute(protect("leaderboard_cache", read="true"))
    op.execute((SQL / "rank_gifts.sql").read_text())


def downgrade() -> None:
    """Take them away; what they hold is lost."""
    op.execute("drop function rank_gifts")
    op.execute("drop table leaderboard_cache, gift_totals, gift_feed")
