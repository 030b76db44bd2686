"""Who watches: the mirror of what the process knows, and its marker."""

from sqlalchemy import BigInteger, Column, DateTime, Index, SmallInteger, Table, Text, Uuid

from streaming.tables.metadata import NOW, metadata

box_viewers = Table(
    "box_viewers",
    metadata,
    Column("session_id", Uuid, primary_key=True),
    Column("box_id", Uuid, nullable=False),
    Column("stream_id", Uuid, nullable=False),
    Column("cell", SmallInteger, nullable=False),
    Column("viewer_id", Uuid, nullable=False),
    Column("sid", Text, nullable=False, comment="The login it came with: the same one resumes it."),
    Column("state", Text, nullable=False, comment="live, suspect or closing."),
    Column("replica", Text, nullable=False, comment="The process that hears it."),
    Column("generation", BigInteger, nullable=False, comment="Grows with each resume."),
    Column("joined_at", DateTime(timezone=True), nullable=False),
    Column(
        "last_active_at",
        DateTime(timezone=True),
        nullable=False,
        comment="Last heartbeat, at most 10 s late here. No index: it would end HOT updates.",
    ),
    # No more indexes and no foreign key: one on last_active_at halves the write rate.
    Index("box_viewers_of_box", "cell", "box_id"),
    prefixes=["UNLOGGED"],
    postgresql_with={"fillfactor": 50},
    comment="One viewing of one box by one client. UNLOGGED: a mirror of the owner's memory, empty"
    " after a crash of PostgreSQL and then written again.",
)

presence_marker = Table(
    "presence_marker",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False, comment="Always 1."),
    Column("placed_at", DateTime(timezone=True), nullable=False, server_default=NOW),
    prefixes=["UNLOGGED"],
    comment="One row that a crash of PostgreSQL takes away together with box_viewers.",
)
