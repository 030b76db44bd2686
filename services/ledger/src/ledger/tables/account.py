"""Who can hold money: assets, accounts, what each holds, and what we know of its owner."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from ledger.tables.metadata import created_at, metadata

assets = Table(
    "assets",
    metadata,
    Column("code", Text, primary_key=True),
    Column("exponent", SmallInteger, nullable=False, comment="Digits after the point."),
    Column("transferable", Boolean, nullable=False),
    Column("swappable", Boolean, nullable=False),
    Column(
        "payout_review_from",
        BigInteger,
        comment="Payouts from this many minor units wait for an admin; null: none do.",
    ),
    created_at(),
    comment="What can be held: coins of the house, and currencies in minor units.",
)

account = Table(
    "account",
    metadata,
    Column("id", Uuid, primary_key=True, comment="Derived from the other columns."),
    Column("owner_type", Text, nullable=False),
    Column("owner_id", Uuid, comment="Null for the platform's own."),
    Column("dao_id", Uuid, comment="The organisation in which a member holds this share."),
    Column("asset", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("shard", Integer, nullable=False, comment="Platform accounts have one per writer."),
    created_at(),
    UniqueConstraint(
        "owner_type",
        "owner_id",
        "dao_id",
        "asset",
        "purpose",
        "shard",
        name="account_is_one",
        postgresql_nulls_not_distinct=True,
    ),
    CheckConstraint("owner_type in ('user', 'org', 'platform')", name="account_owner_type"),
    CheckConstraint("(owner_type = 'platform') = (owner_id is null)", name="account_owner"),
    Index("account_owner_id", "owner_id"),
    comment="Who holds what, and for what: the cold half of a balance. Rows are only ever added.",
)

balance = Table(
    "balance",
    metadata,
    # No foreign key: this is the hottest row of the house, and a key share lock on a popular
    # parent turns into a multixact.
    Column("account_id", Uuid, primary_key=True),
    Column("posted", BigInteger, nullable=False, server_default=text("0")),
    Column("held", BigInteger, nullable=False, server_default=text("0")),
    Column("floor", BigInteger, nullable=False),
    Column("ceiling", BigInteger, nullable=False),
    Column(
        "flags",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="2 no debit, 4 no credit by the owner's state; 16, 32 by staff; 8 closed.",
    ),
    Column("seq", BigInteger, nullable=False, server_default=text("0"), comment="Entries so far."),
    Column(
        "updated_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("clock_timestamp()"),
    ),
    created_at(),
    CheckConstraint("held >= 0", name="balance_holds_back_nothing_negative"),
    CheckConstraint("posted - held >= floor", name="balance_never_below_its_floor"),
    # Half of each page stays free, so that an update finds room beside the old row (HOT).
    postgresql_with={"fillfactor": 50},
    comment="What an account holds right now: the hot half. Written by functions only.",
)

balance_monitors = Table(
    "balance_monitors",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, nullable=False),
    Column("op", Text, nullable=False, comment="above or below: the direction that is reported."),
    Column("threshold", BigInteger, nullable=False),
    created_at(),
    CheckConstraint("op in ('above', 'below')", name="balance_monitors_op"),
    Index("balance_monitors_account_id", "account_id"),
    comment="Balances that somebody wants to hear about when they cross a line.",
)

monitor_hits = Table(
    "monitor_hits",
    metadata,
    Column("id", Uuid, primary_key=True, server_default=text("uuidv7()")),
    Column("monitor_id", Uuid, nullable=False),
    Column("before", BigInteger, nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("published_at", DateTime(timezone=True)),
    created_at(),
    Index("monitor_hits_untold", "id", postgresql_where=text("published_at is null")),
    comment="Lines that were crossed, found by the batch that crossed them, told by a job.",
)

user_state = Table(
    "user_state",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("org_id", Uuid, nullable=False, comment="The user's personal organisation."),
    Column("role", Text, nullable=False, comment="Their role in the marketplace."),
    Column("state", Text, nullable=False),
    Column("since_at", DateTime(timezone=True), nullable=False),
    Column("version", BigInteger, nullable=False, comment="Of the identity's user; newer wins."),
    created_at(),
    CheckConstraint(
        "state in ('active', 'suspended', 'banned', 'erased')", name="user_state_state"
    ),
    comment="What identity told us of each user: it decides whose accounts are frozen.",
)

profile_totals = Table(
    "profile_totals",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("total_purchased", BigInteger, nullable=False, server_default=text("0")),
    Column("total_spent", BigInteger, nullable=False, server_default=text("0")),
    Column("total_gifts_received", BigInteger, nullable=False, server_default=text("0")),
    Column("total_gifts_sent", BigInteger, nullable=False, server_default=text("0")),
    created_at(),
    comment="Gross coins per user over all time, kept in the transactions that move them.",
)
