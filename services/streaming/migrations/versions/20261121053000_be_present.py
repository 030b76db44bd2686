"""Who watches, which process decides, and the two functions that say what is right."""

from pathlib import Path

from alembic import op

from hazina.pg import USER_ID, protect

SQL = Path(__file__).parents[1] / "functions"
FUNCTIONS = ("cleanup_stale_viewers", "update_publish_state_from_viewers")

revision = "20261121053000"
down_revision = "20261121052000"
branch_labels = None
depends_on = None

TABLES = """
create table presence_cell_leases (
    cell smallint not null,
    owner text,
    epoch bigint default '0' not null,
    expires_at timestamptz,
    state text default 'free' not null,
    created_at timestamptz default now() not null,
    updated_at timestamptz default now() not null,
    primary key (cell),
    constraint presence_cell_leases_cell_known check (cell between 0 and 63),
    constraint presence_cell_leases_state check (state in ('free', 'warming', 'ready'))
);
comment on table presence_cell_leases is 'The lease of each of the 64 cells. A transition holds the row, so that a takeover waits for it: this is the fence.';
comment on column presence_cell_leases.owner is 'The replica that decides; empty when free.';
comment on column presence_cell_leases.epoch is 'Grows by one with each takeover: what an older owner decides is refused.';

create table presence_replicas (
    replica_id text not null,
    seen_at timestamptz not null,
    created_at timestamptz default now() not null,
    updated_at timestamptz default now() not null,
    primary key (replica_id)
);
comment on table presence_replicas is 'The processes that may own cells, and when each was last heard.';

create unlogged table box_viewers (
    session_id uuid not null,
    box_id uuid not null,
    stream_id uuid not null,
    cell smallint not null,
    viewer_id uuid not null,
    sid text not null,
    state text not null,
    replica text not null,
    generation bigint not null,
    joined_at timestamptz not null,
    last_active_at timestamptz not null,
    primary key (session_id)
)
 with (fillfactor = 50);
create index box_viewers_of_box on box_viewers (cell, box_id);
comment on table box_viewers is 'One viewing of one box by one client. UNLOGGED: a mirror of the owner''s memory, empty after a crash of PostgreSQL and then written again.';
comment on column box_viewers.sid is 'The login it came with: the same one resumes it.';
comment on column box_viewers.state is 'live, suspect or closing.';
comment on column box_viewers.replica is 'The process that hears it.';
comment on column box_viewers.generation is 'Grows with each resume.';
comment on column box_viewers.last_active_at is 'Last heartbeat, at most 10 s late here. No index: it would end HOT updates.';

create unlogged table presence_marker (
    id smallint not null,
    placed_at timestamptz default now() not null,
    primary key (id)
);
comment on table presence_marker is 'One row that a crash of PostgreSQL takes away together with box_viewers.';
comment on column presence_marker.id is 'Always 1.';
"""


def upgrade() -> None:
    """Make them, with a lease for each of the 64 cells."""
    op.execute(TABLES)
    op.execute("insert into presence_cell_leases (cell) select generate_series(0, 63)")
    op.execute(protect("box_viewers", read=f"viewer_id = {USER_ID}"))
    for table in ("presence_cell_leases", "presence_replicas", "presence_marker"):
        op.execute(protect(table, read="false"))
    for function in FUNCTIONS:
        op.execute((SQL / f"{function}.sql").read_text())


def downgrade() -> None:
    """Take them away; what they hold is lost."""
    op.execute("drop function cleanup_stale_viewers, update_publish_state_from_viewers")
    op.execute("drop table presence_marker, box_viewers, presence_replicas, presence_cell_leases")
