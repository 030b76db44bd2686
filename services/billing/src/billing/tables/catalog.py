"""What can be bought: plans, what each of their versions allows, and what it costs."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM, JSONB

from billing.tables.metadata import at, created_at, made_id, metadata, updated_at

pricing_type = ENUM("one_time", "recurring", name="pricing_type", create_type=False)
pricing_plan_interval = ENUM(
    "day", "week", "month", "year", name="pricing_plan_interval", create_type=False
)

plans = Table(
    "plans",
    metadata,
    made_id(),
    Column("code", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("trial_days", Integer, nullable=False, server_default=text("0")),
    created_at(),
    UniqueConstraint("code", "version", name="plans_version_is_one"),
    CheckConstraint("state in ('draft', 'published', 'retired')", name="plans_state_known"),
    comment="Versions of plans. A subscriber keeps the version they bought until migrated.",
)

plan_features = Table(
    "plan_features",
    metadata,
    Column("plan_id", Uuid, ForeignKey("plans.id"), primary_key=True),
    Column("feature_key", Text, primary_key=True),
    Column("limit_value", BigInteger, comment="-1 is unlimited; null where flags are kept."),
    Column(
        "flags",
        JSONB,
        nullable=False,
        server_default=text("'{}'"),
        comment="What the plan switches on or off, by name; only in the row `features`.",
    ),
    Column("meter_key", Text, comment="The meter that is counted against the limit."),
    Column("reset_interval", Text, nullable=False),
    Column("enforcement", Text, nullable=False),
    Column("requires", Text, comment="The flag without which the limit is worth nothing."),
    Column(
        "row_version",
        BigInteger,
        nullable=False,
        server_default=text("1"),
        comment="Counts changes of the row; a trigger keeps it.",
    ),
    created_at(),
    updated_at(),
    CheckConstraint("limit_value >= -1", name="plan_features_limit_known"),
    CheckConstraint(
        "reset_interval in ('never', 'month', 'calendar_month')", name="plan_features_reset_known"
    ),
    CheckConstraint("enforcement in ('hard', 'soft')", name="plan_features_enforcement_known"),
    comment="What each version of a plan allows: nine rows a version. An edited row acts at once.",
)

plan_feature_changes = Table(
    "plan_feature_changes",
    metadata,
    made_id(),
    Column("plan_id", Uuid, nullable=False),
    Column("feature_key", Text, nullable=False),
    Column("before", JSONB),
    Column("after", JSONB),
    created_at(),
    comment="Every change of plan_features, written by a trigger; only ever added to.",
)

meters = Table(
    "meters",
    metadata,
    Column("key", Text, primary_key=True),
    Column("aggregation", Text, nullable=False),
    Column("value_property", Text, comment="The member of an event's data that is counted."),
    Column("unit", Text, nullable=False),
    created_at(),
    CheckConstraint(
        "aggregation in ('sum', 'count', 'max', 'unique_count')", name="meters_aggregation_known"
    ),
    comment="What is counted, and how events add up.",
)

meter_event_types = Table(
    "meter_event_types",
    metadata,
    Column("event_type", Text, primary_key=True),
    Column("meter_key", Text, ForeignKey("meters.key"), nullable=False),
    Column("sign", Integer, nullable=False, comment="-1 where an event takes away."),
    created_at(),
    CheckConstraint("sign in (-1, 1)", name="meter_event_types_sign_known"),
    comment="Which meter an event of a type counts on.",
)

products = Table(
    "products",
    metadata,
    made_id(),
    Column("plan_id", Uuid, ForeignKey("plans.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("stripe_product_id", Text, comment="Its mirror at Stripe, once it was synchronised."),
    created_at(),
    Index("products_plan_id", "plan_id"),
    comment="What a plan's version is sold as.",
)

prices = Table(
    "prices",
    metadata,
    made_id(),
    Column("product_id", Uuid, ForeignKey("products.id"), nullable=False),
    Column("type", pricing_type, nullable=False),
    Column("kind", Text, nullable=False),
    Column("feature_key", Text, comment="Whose overage it prices."),
    Column("block", BigInteger, comment="How many units of overage one amount buys."),
    Column("unit_amount", BigInteger, nullable=False, comment="In minor units of the currency."),
    Column("currency", Text, nullable=False, comment="ISO 4217, or COIN."),
    Column("interval", pricing_plan_interval),
    Column("stripe_price_id", Text, unique=True),
    created_at(),
    CheckConstraint("kind in ('base', 'seat', 'overage')", name="prices_kind_known"),
    CheckConstraint("unit_amount >= 0", name="prices_never_negative"),
    CheckConstraint("(kind = 'overage') = (feature_key is not null)", name="prices_overage_of"),
    CheckConstraint("(feature_key is null) = (block is null)", name="prices_overage_in_blocks"),
    Index("prices_product_id", "product_id"),
    comment="What a product costs. Immutable: a new price is a new row.",
)

entitlement_refreshes = Table(
    "entitlement_refreshes",
    metadata,
    Column("change_id", Uuid, primary_key=True),
    Column("plan_id", Uuid, nullable=False),
    Column("after_org", Uuid, comment="Organisations up to here were settled anew; null: none."),
    at("done_at"),
    created_at(),
    Index("entitlement_refreshes_open", "change_id", postgresql_where=text("done_at is null")),
    comment="How far each change of a plan has reached those who are on it.",
)
