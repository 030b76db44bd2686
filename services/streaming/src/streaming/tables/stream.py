"""A stream's life."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Table,
    Text,
    Uuid,
    text,
)

from streaming.tables.metadata import metadata, times

LIVE = text("status = 'live'")

live_streams = Table(
    "live_streams",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("profile_id", Uuid, nullable=False, comment="The host."),
    Column("org_id", Uuid, nullable=False, comment="Whose limits and bill it is."),
    Column("title", Text, nullable=False),
    Column("description", Text),
    Column("language", Text),
    Column("status", Text, nullable=False, server_default="scheduled"),
    Column("scheduled_for", DateTime(timezone=True)),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("ended_reason", Text),
    Column(
        "settled_at",
        DateTime(timezone=True),
        comment="When its last viewing was counted and stream.ended was told.",
    ),
    Column("viewer_count", BigInteger, nullable=False, server_default="0"),
    Column("peak_viewers", BigInteger, nullable=False, server_default="0"),
    Column("watched_seconds", BigInteger, nullable=False, server_default="0"),
    Column("total_gift_coins", BigInteger, nullable=False, server_default="0"),
    Column("gift_count", BigInteger, nullable=False, server_default="0"),
    Column("version", BigInteger, nullable=False, server_default="1"),
    *times(),
    CheckConstraint("status in ('scheduled', 'live', 'ended')", name="live_streams_status_known"),
    CheckConstraint(
        "(status = 'ended') = (ended_at is not null and ended_reason is not null)",
        name="live_streams_ended_says_why",
    ),
    CheckConstraint("status <> 'live' or started_at is not null", name="live_streams_live_started"),
    CheckConstraint(
        "viewer_count >= 0 and peak_viewers >= 0 and watched_seconds >= 0"
        " and total_gift_coins >= 0 and gift_count >= 0",
        name="live_streams_counts_never_negative",
    ),
    Index("live_streams_one_live_per_host", "profile_id", unique=True, postgresql_where=LIVE),
    Index("live_streams_of_host", "profile_id", text("created_at desc")),
    Index("live_streams_of_org", "org_id", text("created_at desc")),
    Index("live_streams_live_now", text("started_at desc"), postgresql_where=LIVE),
    Index(
        "live_streams_unsettled",
        "ended_at",
        postgresql_where=text("status = 'ended' and settled_at is null"),
    ),
    comment="A host's streams: announced, live, ended. One of a host is live at a time.",
)
