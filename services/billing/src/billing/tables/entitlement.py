"""What organisations may use, and what they have used of it."""

from sqlalchemy import (
    BigInteger,
    Boolean,
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
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from billing.tables.metadata import at, created_at, made_id, metadata, updated_at

entitlement_grants = Table(
    "entitlement_grants",
    metadata,
    made_id(),
    Column("org_id", Uuid, nullable=False),
    Column("source_kind", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("feature_key", Text, nullable=False),
    Column("flag", Boolean, comment="Switches a feature on."),
    Column("add", BigInteger, comment="Raises a limit; -1 makes it unlimited."),
    Column("set", BigInteger, comment="Replaces a limit."),
    Column("static", BigInteger, comment="A value such as a vote's weight; the largest counts."),
    Column("reason", Text),
    at("ends_at"),
    at("revoked_at"),
    created_at(),
    UniqueConstraint(
        "source_kind", "source_id", "feature_key", name="entitlement_grants_once_per_source"
    ),
    CheckConstraint(
        "source_kind in ('stake', 'membership', 'promo', 'override')",
        name="entitlement_grants_source_known",
    ),
    CheckConstraint(
        'num_nonnulls(flag, add, "set", static) = 1', name="entitlement_grants_one_effect"
    ),
    Index("entitlement_grants_org_id", "org_id", postgresql_where=text("revoked_at is null")),
    comment="What an organisation may use beside its plan: by stake, membership, gift or override.",
)

entitlement_snapshots = Table(
    "entitlement_snapshots",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False, comment="Rises only when the digest changes."),
    Column("plan", Text, nullable=False),
    Column("plan_version", Integer, nullable=False),
    Column("status", Text, nullable=False, comment="Of the live subscription."),
    Column("limits", JSONB, nullable=False, comment="By key; -1 is unlimited."),
    Column("features", JSONB, nullable=False, comment="Flags by name."),
    Column("statics", JSONB, nullable=False),
    Column(
        "over_limit",
        ARRAY(Text),
        nullable=False,
        comment="Levels that hold more than allowed: nothing is lost, nothing may be added.",
    ),
    Column("digest", Text, nullable=False, comment="SHA-256 over all but the version."),
    created_at(),
    updated_at(),
    comment="What each organisation may use right now, as every service was told.",
)

quota_windows = Table(
    "quota_windows",
    metadata,
    # No foreign keys: these are the hottest rows of billing.
    Column("org_id", Uuid, primary_key=True),
    Column("feature_key", Text, primary_key=True),
    Column("scope_kind", Text, primary_key=True),
    Column("scope_id", Text, primary_key=True),
    Column("window_start", DateTime(timezone=True), primary_key=True),
    at("window_end", comment="Null for a level: what stands until it is taken away."),
    Column("limit_value", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False, server_default=text("0")),
    Column("reserved", BigInteger, nullable=False, server_default=text("0")),
    Column("notified_pct", Integer, nullable=False, server_default=text("0")),
    created_at(),
    CheckConstraint(
        "scope_kind in ('org', 'user', 'api_key', 'model')", name="quota_windows_scope_known"
    ),
    CheckConstraint("reserved >= 0", name="quota_windows_reserved_never_negative"),
    postgresql_with={"fillfactor": 50},
    comment="What was used of a limit in a window, and is set aside. A level starts at the epoch.",
)
