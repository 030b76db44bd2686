"""Who has a wallet, under which handle, and the keys of those that we keep."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
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

from crypto.tables.metadata import at, created_at, made_id, metadata, updated_at

crypto_wallets = Table(
    "crypto_wallets",
    metadata,
    made_id(),
    Column("user_id", Uuid),
    Column("org_id", Uuid),
    Column("handle", String(50), comment="Without the @; what others pay to."),
    Column("wallet_address", String(100), comment="Where the chain knows it."),
    Column("chain", Text, nullable=False, server_default=text("'base'")),
    Column("wallet_type", Text, nullable=False, server_default=text("'custodial'")),
    Column("key_scheme", Text, nullable=False),
    Column("is_primary", Boolean, nullable=False, server_default=text("false")),
    at("frozen_at"),
    Column("frozen_reason", Text),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    created_at(),
    updated_at(),
    CheckConstraint("num_nonnulls(user_id, org_id) = 1", name="crypto_wallets_one_owner"),
    CheckConstraint("chain in ('base', 'solana', 'polygon')", name="crypto_wallets_chain_known"),
    CheckConstraint(
        "wallet_type in ('custodial', 'hybrid', 'self_custody')", name="crypto_wallets_type_known"
    ),
    CheckConstraint(
        "key_scheme in ('envelope-v1', 'frost-ed25519-2of3', 'safe-1.4.1-2of3', 'none')",
        name="crypto_wallets_scheme_known",
    ),
    CheckConstraint("handle ~ '^[a-z0-9_.]{3,50}$'", name="crypto_wallets_handle_shape"),
    CheckConstraint(
        "(frozen_at is null) = (frozen_reason is null)", name="crypto_wallets_frozen_why"
    ),
    Index("idx_wallets_user", "user_id"),
    Index("idx_wallets_org", "org_id"),
    Index("idx_wallets_handle", "handle", unique=True),
    Index("idx_wallets_address", "chain", "wallet_address", unique=True),
    Index("unique_user_primary", "user_id", unique=True, postgresql_where=text("is_primary")),
    comment="Wallets: a custodial one moves tokens on our books; others live on their chain.",
)

wallet_keys = Table(
    "wallet_keys",
    metadata,
    made_id(),
    Column("wallet_id", Uuid, ForeignKey("crypto_wallets.id"), nullable=False),
    Column("kek_version", Integer, nullable=False),
    Column("encrypted_key_share", LargeBinary, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    at("retired_at"),
    created_at(),
    Index("wallet_keys_wallet_id", "wallet_id"),
    comment="Sealed keys of custodial wallets. The app may add one and read none.",
)

wallet_addresses = Table(
    "wallet_addresses",
    metadata,
    made_id(),
    Column("wallet_id", Uuid, ForeignKey("crypto_wallets.id"), nullable=False),
    Column("key_id", Uuid, nullable=False),
    Column("chain", Text, nullable=False),
    Column("address", String(100), nullable=False),
    Column("request_id", Uuid, comment="The payment request that it was made for."),
    created_at(),
    UniqueConstraint("chain", "address", name="wallet_addresses_is_one"),
    Index("wallet_addresses_wallet_id", "wallet_id"),
    comment="Where a wallet can be paid on each chain.",
)

handle_tombstones = Table(
    "handle_tombstones",
    metadata,
    Column("handle", String(50), primary_key=True),
    at("until_at", nullable=False),
    created_at(),
    comment="Handles that were given up and rest, so that nobody is paid in another's name.",
)

user_state = Table(
    "user_state",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("username", Text),
    Column("display_name", Text),
    Column("status", Text, nullable=False, server_default=text("'active'")),
    Column("version", BigInteger, nullable=False, comment="Of identity's user; the newer wins."),
    Column(
        "stakes_version",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="Counts what was told of the user's stakes.",
    ),
    created_at(),
    updated_at(),
    CheckConstraint(
        "status in ('active', 'suspended', 'banned', 'erased')", name="user_state_status_known"
    ),
    comment="What identity told us of each user.",
)
