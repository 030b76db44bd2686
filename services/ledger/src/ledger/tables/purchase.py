"""Coins for money: packages, their prices, purchases, and what providers told us."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from ledger.tables.metadata import created_at, metadata

coin_packages = Table(
    "coin_packages",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("code", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("coin_amount", BigInteger, nullable=False),
    Column("bonus_coins", BigInteger, nullable=False),
    Column("apple_product_id", Text),
    Column("google_product_id", Text),
    Column("is_active", Boolean, nullable=False),
    created_at(),
    UniqueConstraint("code", name="coin_packages_code"),
    comment="How many coins can be bought at once.",
)

coin_package_prices = Table(
    "coin_package_prices",
    metadata,
    Column("package_id", Uuid, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("amount", BigInteger, nullable=False),
    created_at(),
    comment="What a package costs, in minor units of each currency it is sold in.",
)

coin_purchases = Table(
    "coin_purchases",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("profile_id", Uuid, nullable=False),
    Column("package_id", Uuid, nullable=False),
    Column("provider", Text, nullable=False),
    Column("coin_amount", BigInteger, nullable=False, comment="As priced when it was started."),
    Column("bonus_coins", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("provider_payment_id", String(255)),
    Column("provider_event_id", String(255), comment="The notification that confirmed it."),
    Column("provider_token", Text, comment="What the payer's client needs to pay."),
    Column("refunded_amount", BigInteger, nullable=False, server_default=text("0")),
    Column("disputed_amount", BigInteger, nullable=False, server_default=text("0")),
    Column("clawed_coins", BigInteger, nullable=False, server_default=text("0")),
    Column("debt_coins", BigInteger, nullable=False, server_default=text("0")),
    Column("transaction_id", Uuid),
    Column("confirmed_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("next_attempt_at", DateTime(timezone=True)),
    created_at(),
    UniqueConstraint("provider_payment_id", name="coin_purchases_provider_payment_id"),
    UniqueConstraint("provider_event_id", name="coin_purchases_provider_event_id"),
    CheckConstraint(
        "status in ('pending', 'confirmed', 'review', 'failed', 'expired', 'refunded',"
        " 'chargeback')",
        name="coin_purchases_status",
    ),
    CheckConstraint(
        "status <> 'confirmed' or (transaction_id is not null and confirmed_at is not null)",
        name="coin_purchases_confirmed_by_a_transaction",
    ),
    Index("coin_purchases_profile_id_created_at", "profile_id", "created_at"),
    comment="Coins that somebody wants to buy, from the first click to the last dispute.",
)

provider_events = Table(
    "provider_events",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("payment_id", Text),
    Column("raw", LargeBinary, nullable=False, comment="The bytes that the signature covers."),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", DateTime(timezone=True)),
    created_at(),
    CheckConstraint(
        "status in ('received', 'done', 'parked', 'ignored', 'failed')",
        name="provider_events_status",
    ),
    comment="Every notification of a payment provider, once, as it came.",
)
