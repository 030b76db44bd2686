"""Gifts as the ledger tells of them, their sums, and the boards made of these."""

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Index, Table, Text, Uuid, text

from streaming.tables.metadata import metadata, times

gift_feed = Table(
    "gift_feed",
    metadata,
    Column("gift_id", Uuid, primary_key=True),
    Column(
        "stream_id", Uuid, comment="Only a stream in which the recipient does appear; else empty."
    ),
    Column("box_id", Uuid),
    Column("sender_id", Uuid, comment="Empty when the reversal came first."),
    Column("recipient_id", Uuid),
    Column("gift_type", Text),
    Column("quantity", BigInteger),
    Column("coin_amount", BigInteger),
    Column("chat_seq", BigInteger, comment="Its number in the stream's chat."),
    Column("sent_at", DateTime(timezone=True)),
    Column("reversed_at", DateTime(timezone=True)),
    *times(),
    CheckConstraint(
        "reversed_at is not null or (sender_id is not null and recipient_id is not null"
        " and gift_type is not null and quantity > 0 and coin_amount > 0 and sent_at is not null)",
        name="gift_feed_whole_or_reversed",
    ),
    Index("gift_feed_of_stream", "stream_id", text("sent_at desc")),
    comment="The ledger's gifts, copied from its events; the money itself is the ledger's alone.",
)

gift_totals = Table(
    "gift_totals",
    metadata,
    Column("scope", Text, primary_key=True, comment="global, streamer or stream."),
    Column("scope_id", Uuid, primary_key=True, comment="All zeros for global."),
    Column("metric", Text, primary_key=True, comment="sent or received."),
    Column("period", Text, primary_key=True, comment="day, week, month or all."),
    Column(
        "window_start",
        DateTime(timezone=True),
        primary_key=True,
        comment="UTC; weeks begin on Monday; 1970 for all time.",
    ),
    Column("profile_id", Uuid, primary_key=True),
    Column("coins", BigInteger, nullable=False),
    Column("gifts", BigInteger, nullable=False),
    Column(
        "reached_at", DateTime(timezone=True), nullable=False, comment="Earlier wins among equals."
    ),
    *times(),
    CheckConstraint("coins >= 0 and gifts >= 0", name="gift_totals_never_negative"),
    Index(
        "gift_totals_by_rank",
        "scope",
        "scope_id",
        "metric",
        "period",
        "window_start",
        text("coins desc"),
        "reached_at",
        "profile_id",
    ),
    comment="Coins and gifts per person, scope and window of time.",
)

leaderboard_cache = Table(
    "leaderboard_cache",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("scope_id", Uuid, primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("window_start", DateTime(timezone=True), primary_key=True),
    Column("rank", BigInteger, primary_key=True, autoincrement=False),
    Column("profile_id", Uuid, nullable=False),
    Column("coins", BigInteger, nullable=False),
    Column("gifts", BigInteger, nullable=False),
    Column("reached_at", DateTime(timezone=True), nullable=False),
    Column("version", BigInteger, nullable=False, comment="Grows when the board changes."),
    Column("computed_at", DateTime(timezone=True), nullable=False),
    comment="The first 100 of each board. Recomputed whole: a live stream's every 2 s, the day's"
    " every 30 s, every other one every 5 min.",
)
