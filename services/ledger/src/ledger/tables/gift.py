"""Gifts between users: what can be given, and what was."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from ledger.tables.metadata import created_at, metadata

gift_types = Table(
    "gift_types",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("code", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("coin_cost", BigInteger, nullable=False),
    Column("share_bps", Integer, nullable=False, comment="The recipient's part, of 10000."),
    Column("animation_url", Text),
    Column("is_active", Boolean, nullable=False),
    created_at(),
    UniqueConstraint("code", name="gift_types_code"),
    CheckConstraint("coin_cost > 0", name="gift_types_cost_something"),
    CheckConstraint("share_bps between 0 and 10000", name="gift_types_share"),
    comment="What can be given, what it costs, and how it is shared.",
)

gifts = Table(
    "gifts",
    metadata,
    # No foreign keys: many gifts to one recipient at once must not meet on a parent row.
    Column("id", Uuid, primary_key=True, comment="The same as its transaction's."),
    Column("sender_id", Uuid, nullable=False),
    Column("recipient_id", Uuid, nullable=False),
    Column("gift_type_id", Uuid, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("coin_amount", BigInteger, nullable=False),
    Column("streamer_revenue", BigInteger, nullable=False),
    Column("platform_revenue", BigInteger, nullable=False),
    Column("stream_id", Uuid),
    Column("box_id", Uuid),
    Column("combo_id", Uuid),
    Column("transaction_id", Uuid, nullable=False),
    created_at(),
    CheckConstraint("coin_amount = streamer_revenue + platform_revenue", name="gifts_split"),
    CheckConstraint("sender_id <> recipient_id", name="gifts_to_another"),
    Index("gifts_sender_id", "sender_id", "id"),
    Index("gifts_recipient_id", "recipient_id", "id"),
    comment="Coins that became somebody's earnings. Rows are only ever added.",
)

gift_reversals = Table(
    "gift_reversals",
    metadata,
    Column("gift_id", Uuid, primary_key=True),
    Column("transaction_id", Uuid, nullable=False),
    Column("reason", Text, nullable=False),
    Column("absorbed", BigInteger, nullable=False, comment="Earnings that were spent: our loss."),
    created_at(),
    comment="Gifts that were taken back, each once. Rows are only ever added.",
)
