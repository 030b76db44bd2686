"""A stream's chat, in parts by the day its stream was created."""

from pathlib import Path

from alembic import op

from hazina.pg import USER_ID, protect

SQL = Path(__file__).parents[1] / "functions"

revision = "20261121054000"
down_revision = "20261121053000"
branch_labels = None
depends_on = None

TABLES = """
create table chat_rooms (
    stream_id uuid not null,
    day date not null,
    last_seq bigint default '0' not null,
    slow_seconds bigint default '0' not null,
    version bigint default '1' not null,
    created_at timestamptz default now() not null,
    updated_at timestamptz default now() not null,
    primary key (stream_id),
    constraint chat_rooms_slow_bounded check (slow_seconds between 0 and 300),
    constraint chat_rooms_seq_not_negative check (last_seq >= 0)
);
comment on table chat_rooms is 'A stream''s chat room and the last number taken in it.';
comment on column chat_rooms.day is 'The day its stream was created (UTC).';
comment on column chat_rooms.last_seq is 'The row is locked to take numbers, so their order is that of the commits.';

create table chat_messages (
    day date not null,
    stream_id uuid not null,
    seq bigint not null,
    profile_id uuid,
    kind text not null,
    body text,
    gift jsonb,
    client_msg_id text,
    created_at timestamptz default now() not null,
    deleted_at timestamptz,
    deleted_by uuid,
    primary key (day, stream_id, seq),
    constraint chat_messages_kind_known check (kind in ('message', 'gift', 'notice')),
    constraint chat_messages_gift_is_gift check ((kind = 'gift') = (gift is not null)),
    constraint chat_messages_said_once unique (day, stream_id, profile_id, client_msg_id)
)
 partition by range (day);
comment on table chat_messages is 'What was said in a stream, numbered without gaps. Rows are only added, and marked when deleted. No foreign key: a hot insert path. Kept 90 days.';
comment on column chat_messages.client_msg_id is 'The sender''s name for it: sent twice, said once.';

create table chat_sanctions (
    id uuid not null,
    owner_id uuid not null,
    profile_id uuid not null,
    kind text not null,
    reason text,
    by uuid not null,
    until timestamptz,
    lifted_at timestamptz,
    created_at timestamptz default now() not null,
    updated_at timestamptz default now() not null,
    primary key (id),
    constraint chat_sanctions_kind_known check (kind in ('ban', 'timeout')),
    constraint chat_sanctions_until check ((kind = 'timeout') = (until is not null))
);
create unique index chat_sanctions_one_standing on chat_sanctions (owner_id, profile_id) where lifted_at is null;
comment on table chat_sanctions is 'Who may not speak, or not even watch, in any of a host''s streams.';
comment on column chat_sanctions.owner_id is 'The host for whose streams it holds.';
"""


def upgrade() -> None:
    """Make it, with parts for the days around today."""
    op.execute(TABLES)
    op.execute(protect("chat_rooms", read="true"))
    op.execute(protect("chat_messages", read="true"))
    mine = f"owner_id = {USER_ID} or profile_id = {USER_ID}"
    op.execute(protect("chat_sanctions", read=mine, write=f"owner_id = {USER_ID}"))
    # Deleted messages are marked; only erasure of a person blanks what was said.
    op.execute("revoke delete on chat_messages from streaming")
    op.execute((SQL / "make_chat_day.sql").read_text())
    op.execute("select make_chat_day(current_date + n) from generate_series(-1, 7) as n")


def downgrade() -> None:
    """Take them away; what they hold is lost."""
    op.execute("drop function make_chat_day")
    op.execute("drop table chat_sanctions, chat_messages, chat_rooms")
