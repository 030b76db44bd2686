"""The book itself: keys, transactions, entries, and what the platform took of each."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from ledger.tables.metadata import created_at, metadata
from ledger.tables.xid8 import Xid8

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", Uuid, primary_key=True, comment="Hash of caller, route and the caller's key."),
    Column("request_hash", LargeBinary, nullable=False),
    Column("resource_id", Uuid, nullable=False, comment="What the first attempt made."),
    Column("problem", JSONB(none_as_null=True), comment="Why it was refused: for ever."),
    Column("request", JSONB(none_as_null=True), comment="A digest per field, where it is kept."),
    created_at(),
    postgresql_partition_by="hash (key)",
    comment="Every attempt to move money, answered the same way for ever. Never pruned.",
)

transaction = Table(
    "transaction",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("reference", Text),
    Column("metadata", JSONB(none_as_null=True), nullable=False),
    Column("actor_id", Uuid, comment="Who asked; null for the service itself."),
    # The receipt, as it was answered: one element a leg. No foreign keys (multixact cost).
    Column("account_ids", ARRAY(Uuid), nullable=False),
    Column("amounts", ARRAY(BigInteger), nullable=False),
    Column("seqs", ARRAY(BigInteger), nullable=False),
    Column("balances_after", ARRAY(BigInteger), nullable=False),
    Column("reverses", Uuid, comment="The transaction that this one takes back."),
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Index("transaction_reference", "reference", postgresql_where=text("reference is not null")),
    Index(
        "transaction_reverses_once",
        "reverses",
        unique=True,
        postgresql_where=text("reverses is not null"),
    ),
    Index("transaction_xid", "xid"),
    comment="A movement of money that balances, with its receipt. Written by post_batch only.",
)

entry = Table(
    "entry",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("seq", BigInteger, primary_key=True, comment="1, 2, 3 … without a gap per account."),
    Column("transaction_id", Uuid, nullable=False),
    Column("amount", BigInteger, nullable=False, comment="Positive: owed to the owner."),
    Column("balance_after", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("amount <> 0", name="entry_moves_something"),
    Index("entry_created_at", "created_at", postgresql_using="brin"),
    comment="One account's part of a transaction. Written by post_batch only, never changed.",
)

hold = Table(
    "hold",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("from_account", Uuid, nullable=False),
    Column("to_account", Uuid, nullable=False),
    Column("asset", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("captured", BigInteger, nullable=False, comment="Of amount; the rest was freed."),
    Column("status", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("transaction_id", Uuid, comment="That captured it."),
    Column("reference", Text),
    created_at(),
    CheckConstraint("status in ('pending', 'captured', 'voided', 'expired')", name="hold_status"),
    CheckConstraint("captured between 0 and amount", name="hold_captures_no_more"),
    Index("hold_due", "expires_at", postgresql_where=text("status = 'pending'")),
    comment="Money set aside until it is captured, given back, or its time is over.",
)

transaction_fees = Table(
    "transaction_fees",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("transaction_id", Uuid, nullable=False),
    Column("transaction_type", Text, nullable=False),
    Column("fee_type", Text, nullable=False),
    Column("fee_category", Text, nullable=False),
    Column("base_amount", BigInteger, nullable=False),
    Column("fee_amount", BigInteger, nullable=False),
    Column("fee_bps", Integer, nullable=False),
    Column("currency", Text, nullable=False),
    Column("paid_by", Uuid, nullable=False),
    Column("platform_revenue", BigInteger, nullable=False),
    Column("dao_id", Uuid),
    Column("dao_revenue", BigInteger, nullable=False),
    Column("reverses", Uuid),
    created_at(),
    UniqueConstraint("transaction_id", "fee_type", name="transaction_fees_once"),
    comment="What was taken of a transaction, and whose it became.",
)
