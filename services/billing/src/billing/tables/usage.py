"""What organisations used: every event once, and what it adds up to."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Index,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from billing.tables.metadata import at, created_at, made_id, metadata

usage_events = Table(
    "usage_events",
    metadata,
    # No foreign keys: the hottest table of billing, and only ever added to.
    Column("received_month", Date, primary_key=True, comment="UTC; decides the partition."),
    Column("org_id", Uuid, primary_key=True),
    Column(
        "event_key", Uuid, primary_key=True, comment="SHA-256 of source, 0 and id; 16 bytes of it."
    ),
    Column("event_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("user_id", Uuid),
    Column("data", JSONB, nullable=False, server_default=text("'{}'")),
    at("occurred_at", nullable=False),
    at("received_at", nullable=False),
    created_at(),
    CheckConstraint("quantity between 0 and 1000000000000", name="usage_events_quantity_bounded"),
    postgresql_partition_by="range (received_month)",
    comment="What was used, each event once, in months by when we received it.",
)
Index(
    "usage_events_occurred",
    usage_events.c.occurred_at,
    postgresql_using="brin",
)

usage_aggregations = Table(
    "usage_aggregations",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("meter_key", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("bucket", Date, primary_key=True),
    Column("sum", BigInteger, nullable=False),
    Column("cnt", BigInteger, nullable=False),
    Column("max", BigInteger, nullable=False),
    created_at(),
    CheckConstraint("period in ('day', 'month')", name="usage_aggregations_period_known"),
    postgresql_with={"fillfactor": 70},
    comment="Usage by UTC day and month, folded in the transaction of each event.",
)

quota_reservations = Table(
    "quota_reservations",
    metadata,
    made_id(),
    # No foreign keys, as with windows.
    Column("org_id", Uuid, nullable=False),
    Column("feature_key", Text, nullable=False),
    Column("user_id", Uuid),
    Column(
        "windows", JSONB, nullable=False, comment="In which windows it is set aside: their starts."
    ),
    Column("amount", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False, server_default=text("0")),
    Column("status", Text, nullable=False, server_default=text("'open'")),
    at("expires_at", nullable=False),
    Column("key", Uuid, nullable=False, comment="Of the attempt that made it."),
    created_at(),
    CheckConstraint("amount > 0 and settled >= 0", name="quota_reservations_amounts_counted"),
    CheckConstraint(
        "status in ('open', 'settled', 'expired')", name="quota_reservations_status_known"
    ),
    UniqueConstraint("org_id", "key", name="quota_reservations_once_per_attempt"),
    Index("quota_reservations_open", "expires_at", postgresql_where=text("status = 'open'")),
    postgresql_with={"fillfactor": 70},
    comment="Use that was promised and not told yet; what is settled of it becomes usage.",
)
