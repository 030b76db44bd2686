"""Streams, their boxes, and the record of each change of a publish state."""

from alembic import op

from hazina.pg import USER_ID, protect

revision = "20261121052000"
down_revision = "20261121051000"
branch_labels = None
depends_on = None

TABLES = """
create table live_streams (
    id uuid not null,
    profile_id uuid not null,
    org_id uuid not null,
    title text not null,
    description text,
    language text,
    status text default 'scheduled' not null,
    scheduled_for timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    ended_reason text,
    settled_at timestamptz,
    viewer_count bigint default '0' not null,
    peak_viewers bigint default '0' not null,
    watched_seconds bigint default '0' not null,
    total_gift_coins bigint default '0' not null,
    gift_count bigint default '0' not null,
    version bigint default '1' not null,
    created_at timestamptz default now() not null,
    updated_at timestamptz default now() not null,
    primary key (id),
    constraint live_streams_status_known check (status in ('scheduled', 'live', 'ended')),
    constraint live_streams_ended_says_why check ((status = 'ended') = (ended_at is not null and ended_reason is not null)),
    constraint live_streams_live_started check (status <> 'live' or started_at is not null),
    constraint live_streams_counts_never_negative check (viewer_count >= 0 and peak_viewers >= 0 and watched_seconds >= 0 and total_gift_coins >= 0 and gift_count >= 0)
);
create index live_streams_live_now on live_streams (started_at desc) where status = 'live';
create index live_streams_of_host on live_streams (profile_id, created_at desc);
create index live_streams_of_org on live_streams (org_id, created_at desc);
create unique index live_streams_one_live_per_host on live_streams (profile_id) where status = 'live';
create index live_streams_unsettled on live_streams (ended_at) where status = 'ended' and settled_at is null;
comment on table live_streams is 'A host''s streams: announced, live, ended. One of a host is live at a time.';
comment on column live_streams.profile_id is 'The host.';
comment on column live_streams.org_id is 'Whose limits and bill it is.';
comment on column live_streams.settled_at is 'When its last viewing was counted and stream.ended was told.';

create table video_boxes (
    id uuid not null,
    stream_id uuid not null,
    slot bigint not null,
    streamer_id uuid not null,
    cell smallint not null,
    title text,
    status text default 'open' not null,
    publish_policy text default 'demand' not null,
    is_published boolean default false not null,
    publish_version bigint default '0' not null,
    publish_reason text,
    publish_changed_at timestamptz default now() not null,
    acked_version bigint default '0' not null,
    vacant_since timestamptz,
    publisher_state text default 'absent' not null,
    publisher_seen_at timestamptz,
    media_path text not null,
    viewer_count bigint default '0' not null,
    cell_epoch bigint default '0' not null,
    version bigint default '1' not null,
    created_at timestamptz default now() not null,
    updated_at timestamptz default now() not null,
    primary key (id),
    constraint video_boxes_slot_not_negative check (slot >= 0),
    constraint video_boxes_cell_known check (cell between 0 and 63),
    constraint video_boxes_status_known check (status in ('open', 'closed')),
    constraint video_boxes_policy_known check (publish_policy in ('demand', 'paused')),
    constraint video_boxes_publisher_known check (publisher_state in ('absent', 'ready', 'publishing')),
    constraint video_boxes_acked_is_known check (acked_version <= publish_version),
    constraint video_boxes_viewers_never_negative check (viewer_count >= 0),
    constraint video_boxes_published_is_open check (not is_published or (status = 'open' and publish_policy = 'demand')),
    foreign key(stream_id) references live_streams (id),
    unique (media_path)
);
create index video_boxes_of_cell on video_boxes (cell) where status = 'open';
create index video_boxes_of_streamer on video_boxes (streamer_id);
create unique index video_boxes_slot_free on video_boxes (stream_id, slot) where status = 'open';
comment on table video_boxes is 'A place in a stream for one camera, which runs only while somebody watches.';
comment on column video_boxes.slot is 'The host''s is 0.';
comment on column video_boxes.streamer_id is 'Whose camera it is.';
comment on column video_boxes.cell is 'crc32 of the stream''s id, of 64.';
comment on column video_boxes.is_published is 'Derived from who watches (box_viewers): nobody sets it.';
comment on column video_boxes.publish_version is 'Grows by one with each change of is_published.';
comment on column video_boxes.publish_reason is 'Why it is as it is; empty before the first change.';
comment on column video_boxes.acked_version is 'Newest publish_version the publisher says it obeys.';
comment on column video_boxes.vacant_since is 'When a published box lost its last viewer; empty while somebody watches.';
comment on column video_boxes.media_path is 'Its name at a media server.';
comment on column video_boxes.cell_epoch is 'Epoch of the cell''s owner that changed is_published last.';

create table box_transitions (
    box_id uuid not null,
    publish_version bigint not null,
    is_published boolean not null,
    reason text not null,
    viewers bigint not null,
    cell_epoch bigint not null,
    at timestamptz not null,
    primary key (box_id, publish_version)
);
comment on table box_transitions is 'Every change of a box''s publish state, and why. Rows are only ever added: the key is the second wall against two owners of a cell. Kept 90 days.';
"""


def upgrade() -> None:
    """Make them."""
    op.execute(TABLES)
    # Only our own phrases meet here: no value from outside.
    host = f"stream_id in (select id from live_streams where profile_id = {USER_ID})"  # noqa: S608
    mine = f"streamer_id = {USER_ID} or {host}"
    theirs = f"box_id in (select id from video_boxes where {mine})"  # noqa: S608
    op.execute(protect("live_streams", read="true", write=f"profile_id = {USER_ID}"))
    op.execute(protect("video_boxes", read="true", write=mine))
    op.execute(protect("box_transitions", read=theirs))
    # What was decided, and why, is never rewritten by the service itself.
    op.execute("revoke update, delete on box_transitions from streaming")


def downgrade() -> None:
    """Take them away; what they hold is lost."""
    op.execute("drop table box_transitions, video_boxes, live_streams")
