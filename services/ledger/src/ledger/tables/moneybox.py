"""Savings: tiers, moneyboxes, what moved in them, and the commissions that fill them."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ledger.tables.metadata import created_at, metadata

moneybox_tiers = Table(
    "moneybox_tiers",
    metadata,
    Column("tier", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("lock_days", Integer, nullable=False),
    Column("bonus_bps", Integer, nullable=False, comment="For the whole time, of 10000."),
    Column(
        "penalty_bps",
        ARRAY(Integer),
        nullable=False,
        comment="For leaving in the first, second and last third of the time, of 10000.",
    ),
    Column("roles", ARRAY(Text), nullable=False, comment="Who may choose it; empty: everybody."),
    created_at(),
    CheckConstraint("lock_days > 0", name="moneybox_tiers_lock"),
    CheckConstraint("bonus_bps between 0 and 10000", name="moneybox_tiers_bonus"),
    CheckConstraint("cardinality(penalty_bps) = 3", name="moneybox_tiers_thirds"),
    comment="How long money can be locked, what that earns, and what leaving early costs.",
)

moneybox_accounts = Table(
    "moneybox_accounts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("asset", Text, nullable=False),
    Column("role", Text, nullable=False, comment="The owner's when it was opened."),
    Column("tier", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("autosave_percent", Integer, nullable=False, comment="Of each commission."),
    Column("lock_days", Integer, nullable=False, comment="The tier's when it was opened."),
    Column("bonus_bps", Integer, nullable=False, comment="The tier's when it was opened."),
    Column("penalty_bps", ARRAY(Integer), nullable=False, comment="The tier's when opened."),
    Column("lock_start_at", DateTime(timezone=True), comment="When the first money came."),
    Column("matures_at", DateTime(timezone=True)),
    created_at(),
    CheckConstraint(
        "status in ('ACTIVE', 'MATURED', 'WITHDRAWN', 'LIQUIDATED')",
        name="moneybox_accounts_status",
    ),
    CheckConstraint("autosave_percent between 0 and 50", name="moneybox_accounts_autosave"),
    CheckConstraint(
        "(lock_start_at is null) = (matures_at is null)", name="moneybox_accounts_time"
    ),
    Index(
        "moneybox_accounts_one_open",
        "user_id",
        unique=True,
        postgresql_where=text("status in ('ACTIVE', 'MATURED')"),
    ),
    Index("moneybox_accounts_user_id", "user_id", "id"),
    Index(
        "moneybox_accounts_due",
        "matures_at",
        postgresql_where=text("status = 'ACTIVE'"),
    ),
    comment="Savings on terms that do not change: one open moneybox a user.",
)

moneybox_ledger = Table(
    "moneybox_ledger",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("moneybox_id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("amount", BigInteger, nullable=False, comment="Negative when money left."),
    Column(
        "meta_json",
        JSONB,
        nullable=False,
        comment="What the moneybox was after it, so that a retry is answered the same.",
    ),
    Column("transaction_id", Uuid, nullable=False),
    created_at(),
    CheckConstraint(
        "type in ('DEPOSIT', 'AUTOSAVE', 'BONUS', 'PENALTY', 'WITHDRAWAL', 'LIQUIDATION')",
        name="moneybox_ledger_type",
    ),
    CheckConstraint(
        "case when type in ('DEPOSIT', 'AUTOSAVE', 'BONUS') then amount > 0 else amount < 0 end",
        name="moneybox_ledger_sign",
    ),
    UniqueConstraint("transaction_id", "type", name="moneybox_ledger_once"),
    Index("moneybox_ledger_moneybox_id", "moneybox_id", "created_at"),
    comment="Every movement of every moneybox. Rows are only ever added.",
)

commissions = Table(
    "commissions",
    metadata,
    Column("id", Uuid, primary_key=True, comment="The same as its transaction's."),
    Column("user_id", Uuid, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("autosaved_amount", BigInteger, nullable=False, comment="Of amount: the moneybox's."),
    Column("moneybox_id", Uuid, comment="That took it; null when nothing was saved."),
    Column("source_type", Text, nullable=False),
    Column("source_id", Text, nullable=False, comment="What it was earned with."),
    Column("transaction_id", Uuid, nullable=False),
    created_at(),
    CheckConstraint("amount > 0", name="commissions_something"),
    CheckConstraint("autosaved_amount between 0 and amount", name="commissions_part"),
    CheckConstraint("(moneybox_id is null) = (autosaved_amount = 0)", name="commissions_box"),
    UniqueConstraint("source_type", "source_id", "user_id", name="commissions_once"),
    Index("commissions_user_id", "user_id", "id"),
    comment="What users earned by selling for others. Rows are only ever added.",
)
