"""Video boxes, and the record of every change of their publish state."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from streaming.tables.metadata import NOW, metadata, times

OPEN = text("status = 'open'")

video_boxes = Table(
    "video_boxes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("stream_id", ForeignKey("live_streams.id"), nullable=False),
    Column("slot", BigInteger, nullable=False, comment="The host's is 0."),
    Column("streamer_id", Uuid, nullable=False, comment="Whose camera it is."),
    Column("cell", SmallInteger, nullable=False, comment="crc32 of the stream's id, of 64."),
    Column("title", Text),
    Column("status", Text, nullable=False, server_default="open"),
    Column("publish_policy", Text, nullable=False, server_default="demand"),
    Column(
        "is_published",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="Derived from who watches (box_viewers): nobody sets it.",
    ),
    Column(
        "publish_version",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="Grows by one with each change of is_published.",
    ),
    Column("publish_reason", Text, comment="Why it is as it is; empty before the first change."),
    Column("publish_changed_at", DateTime(timezone=True), nullable=False, server_default=NOW),
    Column(
        "acked_version",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="Newest publish_version the publisher says it obeys.",
    ),
    Column(
        "vacant_since",
        DateTime(timezone=True),
        comment="When a published box lost its last viewer; empty while somebody watches.",
    ),
    Column("publisher_state", Text, nullable=False, server_default="absent"),
    Column("publisher_seen_at", DateTime(timezone=True)),
    Column("media_path", Text, nullable=False, unique=True, comment="Its name at a media server."),
    Column("viewer_count", BigInteger, nullable=False, server_default="0"),
    Column(
        "cell_epoch",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="Epoch of the cell's owner that changed is_published last.",
    ),
    Column("version", BigInteger, nullable=False, server_default="1"),
    *times(),
    CheckConstraint("slot >= 0", name="video_boxes_slot_not_negative"),
    CheckConstraint("cell between 0 and 63", name="video_boxes_cell_known"),
    CheckConstraint("status in ('open', 'closed')", name="video_boxes_status_known"),
    CheckConstraint("publish_policy in ('demand', 'paused')", name="video_boxes_policy_known"),
    CheckConstraint(
        "publisher_state in ('absent', 'ready', 'publishing')", name="video_boxes_publisher_known"
    ),
    CheckConstraint("acked_version <= publish_version", name="video_boxes_acked_is_known"),
    CheckConstraint("viewer_count >= 0", name="video_boxes_viewers_never_negative"),
    CheckConstraint(
        "not is_published or (status = 'open' and publish_policy = 'demand')",
        name="video_boxes_published_is_open",
    ),
    Index("video_boxes_slot_free", "stream_id", "slot", unique=True, postgresql_where=OPEN),
    Index("video_boxes_of_streamer", "streamer_id"),
    Index("video_boxes_of_cell", "cell", postgresql_where=OPEN),
    comment="A place in a stream for one camera, which runs only while somebody watches.",
)

box_transitions = Table(
    "box_transitions",
    metadata,
    Column("box_id", Uuid, primary_key=True),
    Column("publish_version", BigInteger, primary_key=True, autoincrement=False),
    Column("is_published", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("viewers", BigInteger, nullable=False),
    Column("cell_epoch", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    comment="Every change of a box's publish state, and why. Rows are only ever added: the key is"
    " the second wall against two owners of a cell. Kept 90 days.",
)
