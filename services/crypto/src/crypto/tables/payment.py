"""What wallets hold and how it moved: balances, the log, and the entries that prove both."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from crypto.tables.metadata import amount, at, created_at, metadata, unit, updated_at

tokens = Table(
    "tokens",
    metadata,
    Column("token", String(20), primary_key=True),
    Column("decimals", SmallInteger, nullable=False),
    unit(),
    Column("status", Text, nullable=False, server_default=text("'live'")),
    created_at(),
    CheckConstraint("status in ('live', 'frozen')", name="tokens_status_known"),
    CheckConstraint("decimals between 0 and 18", name="tokens_decimals_known"),
    comment="What can be held. Amounts are counted in base units of 10^-decimals.",
)

token_balances = Table(
    "token_balances",
    metadata,
    # No foreign keys: these are the hottest rows, and every one is made by post().
    Column("wallet_id", Uuid, primary_key=True),
    Column("token", String(20), primary_key=True),
    Column("id", Uuid, nullable=False, server_default=text("uuidv7()")),
    unit(),
    *amount("available_balance"),
    *amount("held_balance"),
    *amount("staked_balance"),
    *amount("pending_rewards"),
    *amount("lifetime_earned"),
    created_at(),
    updated_at(),
    postgresql_partition_by="list (token)",
    comment="What a wallet holds of a token right now. Written by post() only.",
)

crypto_transactions = Table(
    "crypto_transactions",
    metadata,
    # No foreign keys: money's log never waits for a wallet's row, and never goes with it.
    Column("id", Uuid, primary_key=True),
    Column("from_wallet_id", Uuid),
    Column("to_wallet_id", Uuid),
    Column("from_owner", Uuid),
    Column("to_owner", Uuid),
    Column("from_address", String(100)),
    Column("to_address", String(100)),
    Column("token", String(20), nullable=False),
    unit(),
    *amount("amount", default=False),
    *amount("fee"),
    Column("chain", Text, nullable=False, comment="internal where only our books moved."),
    Column("tx_hash", Text),
    Column("status", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'")),
    Column("note", Text),
    Column("block_height", BigInteger),
    at("confirmed_at"),
    created_at(),
    CheckConstraint(
        "status in ('pending', 'confirmed', 'failed')", name="crypto_transactions_status_known"
    ),
    CheckConstraint(
        "type in ('transfer', 'reward', 'stake', 'unstake', 'tip', 'payment', 'withdrawal',"
        " 'deposit', 'swap')",
        name="crypto_transactions_type_known",
    ),
    Index("idx_transactions_from", "from_wallet_id"),
    Index("idx_transactions_to", "to_wallet_id"),
    Index("idx_transactions_status", "status"),
    Index("idx_transactions_created", "created_at"),
    Index("crypto_transactions_sent", "from_owner", text("created_at desc"), text("id desc")),
    Index("crypto_transactions_received", "to_owner", text("created_at desc"), text("id desc")),
    comment="Immutable log of what moved: a pending row is confirmed or fails, once.",
)

token_entries = Table(
    "token_entries",
    metadata,
    # No foreign keys: two rows a transfer, and every one is made by post().
    Column("transaction_id", Uuid, primary_key=True),
    Column("n", SmallInteger, primary_key=True),
    Column("wallet_id", Uuid),
    Column("house", Text, comment="The account of the house, where it is no wallet's."),
    Column("slot", SmallInteger),
    Column("bucket", Text, nullable=False),
    Column("token", String(20), nullable=False),
    Column("delta_base", Numeric(78, 0), nullable=False),
    created_at(),
    CheckConstraint("num_nonnulls(wallet_id, house) = 1", name="token_entries_one_side"),
    CheckConstraint("(house is null) = (slot is null)", name="token_entries_slot_of_house"),
    CheckConstraint("bucket in ('available', 'held', 'staked')", name="token_entries_bucket_known"),
    CheckConstraint("delta_base <> 0", name="token_entries_move_something"),
    Index("token_entries_wallet_id", "wallet_id", "token"),
    comment="Double entry: per transaction and token the deltas sum to zero. Only ever added to.",
)

house_balances = Table(
    "house_balances",
    metadata,
    Column("account", Text, primary_key=True),
    Column("token", String(20), primary_key=True),
    Column("slot", SmallInteger, primary_key=True),
    Column("balance_base", Numeric(78, 0), nullable=False),
    created_at(),
    CheckConstraint("slot between 0 and 15", name="house_balances_slot_known"),
    CheckConstraint(
        "account in ('fees', 'rewards', 'stake_rewards', 'swap', 'issuance', 'gas')"
        " or account like 'chain:%'",
        name="house_balances_account_known",
    ),
    CheckConstraint(
        "balance_base >= 0 or account in ('issuance', 'gas') or account like 'chain:%'",
        name="house_balances_never_below_zero",
    ),
    postgresql_with={"fillfactor": 50},
    comment="What the house holds, in 16 slots each so that writers rarely meet.",
)
