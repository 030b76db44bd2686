"""What streaming has heard of people, and of what their organisations may use."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from streaming.tables.metadata import metadata, times

profiles = Table(
    "profiles",
    metadata,
    Column("id", Uuid, primary_key=True, comment="The user's id."),
    Column("username", Text, comment="Empty until identity has told us."),
    Column("display_name", Text),
    Column("avatar_url", Text),
    Column("status", Text, nullable=False, server_default="active"),
    Column("follower_count", BigInteger, nullable=False, server_default="0"),
    Column("following_count", BigInteger, nullable=False, server_default="0"),
    Column(
        "total_gifts_received",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="Coins of gifts received, reversed ones taken off.",
    ),
    Column(
        "total_gifts_sent",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="Coins of gifts sent, reversed ones taken off.",
    ),
    Column(
        "supporter_coins",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="Coins bought, less refunds and chargebacks; a supporter has more than none.",
    ),
    Column("is_live", Boolean, nullable=False, server_default=text("false")),
    Column("live_stream_id", Uuid, comment="The stream that is live now, if one is."),
    Column(
        "source_version",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="Newest version of the person that identity told; 0 for a stub of our own.",
    ),
    *times(),
    CheckConstraint(
        "status in ('active', 'suspended', 'banned', 'erased')", name="profiles_status_known"
    ),
    CheckConstraint(
        "follower_count >= 0 and following_count >= 0 and total_gifts_received >= 0"
        " and total_gifts_sent >= 0 and supporter_coins >= 0",
        name="profiles_counts_never_negative",
    ),
    CheckConstraint("is_live = (live_stream_id is not null)", name="profiles_live_somewhere"),
    comment="People as identity tells of them, with what they did here. No foreign key points at"
    " it: a person's events may come later than what they do.",
)

entitlement_snapshot = Table(
    "entitlement_snapshot",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False, comment="Billing's; an older one is ignored."),
    Column("limits", JSONB, nullable=False, comment="Limit by key; -1 means unlimited."),
    Column("features", JSONB, nullable=False),
    *times(),
    comment="What an organisation may use, as billing last told.",
)
