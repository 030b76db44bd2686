"""Who is billed, and what they are subscribed to."""

from pathlib import Path

from alembic import op

from hazina.pg import IS_STAFF, ORG_ID, protect

FUNCTIONS = Path(__file__).parents[1] / "functions"


revision = "20261121052000"
down_revision = "20261121051000"
branch_labels = None
depends_on = None

TYPES = """
create type subscription_status as enum ('trialing', 'active', 'canceled', 'incomplete',
    'incomplete_expired', 'past_due', 'unpaid', 'paused');
comment on type subscription_status is 'How a subscription stands, in Stripe''s words.';
"""

TRIGGERS = """
create constraint trigger org_subscriptions_exactly_one
    after insert or update of status, org_id or delete on org_subscriptions
    deferrable initially deferred for each row execute function require_one_live();
create trigger org_subscriptions_touched before update on org_subscriptions
    for each row execute function update_updated_at_column();
create trigger billing_customers_touched before update on billing_customers
    for each row execute function update_updated_at_column();
"""

OWN = f"org_id = {ORG_ID} or {IS_STAFF}"

TABLES = """
create table billing_customers (
    org_id uuid not null,
    stripe_customer_id text,
    name text,
    email text,
    address jsonb,
    tax_id text,
    trial_used_at timestamptz,
    personal_user_id uuid,
    created_at timestamptz default clock_timestamp() not null,
    updated_at timestamptz default clock_timestamp() not null,
    primary key (org_id),
    unique (stripe_customer_id),
    unique (personal_user_id)
);
comment on table billing_customers is 'An organisation as a payer. Its row is the organisation''s lock.';
comment on column billing_customers.trial_used_at is 'When its one trial began.';
comment on column billing_customers.personal_user_id is 'Whose personal organisation it is; null for one of many people.';

create table org_subscriptions (
    id uuid default uuidv7() not null,
    org_id uuid not null,
    plan_id uuid not null,
    provider text not null,
    status subscription_status not null,
    interval pricing_plan_interval not null,
    seats integer default 0 not null,
    anchor_at timestamptz not null,
    current_period_start timestamptz not null,
    current_period_end timestamptz not null,
    trial_end timestamptz,
    cancel_at_period_end boolean default false not null,
    pending jsonb,
    coupon text,
    stripe_subscription_id text,
    ended_at timestamptz,
    row_version bigint default 1 not null,
    created_at timestamptz default clock_timestamp() not null,
    updated_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint org_subscriptions_provider_known check (provider in ('none', 'stripe', 'coins', 'manual')),
    constraint org_subscriptions_seats_never_negative check (seats >= 0),
    constraint org_subscriptions_period_forward check (current_period_start < current_period_end),
    unique (stripe_subscription_id)
);
create unique index org_subscriptions_one_live on org_subscriptions (org_id) where status in ('trialing', 'active', 'past_due', 'paused', 'unpaid');
create index org_subscriptions_org_id on org_subscriptions (org_id);
create index org_subscriptions_period_end on org_subscriptions (current_period_end) where status in ('trialing', 'active', 'past_due', 'paused', 'unpaid');
create index org_subscriptions_plan_id on org_subscriptions (plan_id, org_id) where status in ('trialing', 'active', 'past_due', 'paused', 'unpaid');
comment on table org_subscriptions is 'What organisations subscribe to: by a deferred trigger, exactly one live row each.';
comment on column org_subscriptions.seats is 'Seats bought beside the plan''s own.';
comment on column org_subscriptions.anchor_at is 'Periods and windows step from here, in UTC.';
comment on column org_subscriptions.pending is 'A change that takes effect later: plan, interval, seats.';

create table subscription_changes (
    id uuid default uuidv7() not null,
    org_id uuid not null,
    subscription_id uuid not null,
    "from" jsonb,
    "to" jsonb,
    reason text not null,
    kind text not null,
    currency text not null,
    mrr_delta bigint not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint subscription_changes_kind_known check (kind in ('new', 'expansion', 'contraction', 'churn', 'reactivation', 'other'))
);
create index subscription_changes_org_id on subscription_changes (org_id);
comment on table subscription_changes is 'Every change of a subscription, with what it did to revenue; only ever added to.';
comment on column subscription_changes.mrr_delta is 'Change of the monthly revenue.';
"""


def upgrade() -> None:
    """Make them."""
    op.execute(TYPES)
    op.execute(TABLES)
    for table in ("billing_customers", "org_subscriptions", "subscription_changes"):
        op.execute(protect(table, read=OWN))
    op.execute((FUNCTIONS / "require_one_live.sql").read_text())
    op.execute(TRIGGERS)
    op.execute("revoke update, delete on subscription_changes from billing")


def downgrade() -> None:
    """Take them away; what they hold is lost."""
    op.execute("drop table subscription_changes, org_subscriptions, billing_customers")
    op.execute("drop function require_one_live")
    op.execute("drop type subscription_status")
