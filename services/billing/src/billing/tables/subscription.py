"""Who is billed, and what they are subscribed to."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM, JSONB

from billing.tables.catalog import pricing_plan_interval
from billing.tables.metadata import at, created_at, made_id, metadata, updated_at

subscription_status = ENUM(
    *("trialing", "active", "canceled", "incomplete", "incomplete_expired"),
    *("past_due", "unpaid", "paused"),
    name="subscription_status",
    create_type=False,
)
LIVE = "status in ('trialing', 'active', 'past_due', 'paused', 'unpaid')"

billing_customers = Table(
    "billing_customers",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("stripe_customer_id", Text, unique=True),
    Column("name", Text),
    Column("email", Text),
    Column("address", JSONB),
    Column("tax_id", Text),
    at("trial_used_at", comment="When its one trial began."),
    Column(
        "personal_user_id",
        Uuid,
        unique=True,
        comment="Whose personal organisation it is; null for one of many people.",
    ),
    created_at(),
    updated_at(),
    comment="An organisation as a payer. Its row is the organisation's lock.",
)

org_subscriptions = Table(
    "org_subscriptions",
    metadata,
    made_id(),
    # No foreign key to plans: each signup would share-lock the one row of the free plan.
    Column("org_id", Uuid, nullable=False),
    Column("plan_id", Uuid, nullable=False),
    Column("provider", Text, nullable=False),
    Column("status", subscription_status, nullable=False),
    Column("interval", pricing_plan_interval, nullable=False),
    Column(
        "seats",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="Seats bought beside the plan's own.",
    ),
    at("anchor_at", nullable=False, comment="Periods and windows step from here, in UTC."),
    at("current_period_start", nullable=False),
    at("current_period_end", nullable=False),
    at("trial_end"),
    Column("cancel_at_period_end", Boolean, nullable=False, server_default=text("false")),
    Column("pending", JSONB, comment="A change that takes effect later: plan, interval, seats."),
    Column("coupon", Text),
    Column("stripe_subscription_id", Text, unique=True),
    at("ended_at"),
    Column("row_version", BigInteger, nullable=False, server_default=text("1")),
    created_at(),
    updated_at(),
    CheckConstraint(
        "provider in ('none', 'stripe', 'coins', 'manual')", name="org_subscriptions_provider_known"
    ),
    CheckConstraint("seats >= 0", name="org_subscriptions_seats_never_negative"),
    CheckConstraint(
        "current_period_start < current_period_end", name="org_subscriptions_period_forward"
    ),
    Index("org_subscriptions_one_live", "org_id", unique=True, postgresql_where=text(LIVE)),
    Index("org_subscriptions_org_id", "org_id"),
    Index("org_subscriptions_plan_id", "plan_id", "org_id", postgresql_where=text(LIVE)),
    Index("org_subscriptions_period_end", "current_period_end", postgresql_where=text(LIVE)),
    comment="What organisations subscribe to: by a deferred trigger, exactly one live row each.",
)

subscription_changes = Table(
    "subscription_changes",
    metadata,
    made_id(),
    Column("org_id", Uuid, nullable=False),
    Column("subscription_id", Uuid, nullable=False),
    Column("from", JSONB),
    Column("to", JSONB),
    Column("reason", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("mrr_delta", BigInteger, nullable=False, comment="Change of the monthly revenue."),
    created_at(),
    CheckConstraint(
        "kind in ('new', 'expansion', 'contraction', 'churn', 'reactivation', 'other')",
        name="subscription_changes_kind_known",
    ),
    Index("subscription_changes_org_id", "org_id"),
    comment="Every change of a subscription, with what it did to revenue; only ever added to.",
)
