"""A stream's chat: who may speak, and what was said in which order."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from streaming.tables.metadata import NOW, metadata, times

chat_rooms = Table(
    "chat_rooms",
    metadata,
    Column("stream_id", Uuid, primary_key=True),
    Column("day", Date, nullable=False, comment="The day its stream was created (UTC)."),
    Column(
        "last_seq",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="The row is locked to take numbers, so their order is that of the commits.",
    ),
    Column("slow_seconds", BigInteger, nullable=False, server_default="0"),
    Column("version", BigInteger, nullable=False, server_default="1"),
    *times(),
    CheckConstraint("slow_seconds between 0 and 300", name="chat_rooms_slow_bounded"),
    CheckConstraint("last_seq >= 0", name="chat_rooms_seq_not_negative"),
    comment="A stream's chat room and the last number taken in it.",
)

chat_messages = Table(
    "chat_messages",
    metadata,
    # The day of the stream, not of the message: so that one partition holds a stream's whole
    # chat and its unique keys hold for all of it.
    Column("day", Date, primary_key=True),
    Column("stream_id", Uuid, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("profile_id", Uuid),
    Column("kind", Text, nullable=False),
    Column("body", Text),
    Column("gift", JSONB),
    Column("client_msg_id", Text, comment="The sender's name for it: sent twice, said once."),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=NOW),
    Column("deleted_at", DateTime(timezone=True)),
    Column("deleted_by", Uuid),
    CheckConstraint("kind in ('message', 'gift', 'notice')", name="chat_messages_kind_known"),
    CheckConstraint("(kind = 'gift') = (gift is not null)", name="chat_messages_gift_is_gift"),
    UniqueConstraint(
        "day", "stream_id", "profile_id", "client_msg_id", name="chat_messages_said_once"
    ),
    postgresql_partition_by="RANGE (day)",
    comment="What was said in a stream, numbered without gaps. Rows are only added, and marked"
    " when deleted. No foreign key: a hot insert path. Kept 90 days.",
)

chat_sanctions = Table(
    "chat_sanctions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner_id", Uuid, nullable=False, comment="The host for whose streams it holds."),
    Column("profile_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text),
    Column("by", Uuid, nullable=False),
    Column("until", DateTime(timezone=True)),
    Column("lifted_at", DateTime(timezone=True)),
    *times(),
    CheckConstraint("kind in ('ban', 'timeout')", name="chat_sanctions_kind_known"),
    CheckConstraint("(kind = 'timeout') = (until is not null)", name="chat_sanctions_until"),
    Index(
        "chat_sanctions_one_standing",
        "owner_id",
        "profile_id",
        unique=True,
        postgresql_where=text("lifted_at is null"),
    ),
    comment="Who may not speak, or not even watch, in any of a host's streams.",
)
