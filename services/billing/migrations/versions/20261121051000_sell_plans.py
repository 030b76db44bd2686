"""The catalogue: plans, what they allow, what they cost; the 36 rows and the prices of today."""

from pathlib import Path

from alembic import op

from hazina.pg import IS_STAFF, protect, protect_open

FUNCTIONS = Path(__file__).parents[1] / "functions"


revision = "20261121051000"
down_revision = "20261121050000"
branch_labels = None
depends_on = None

TYPES = """
create type pricing_type as enum ('one_time', 'recurring');
create type pricing_plan_interval as enum ('day', 'week', 'month', 'year');
comment on type pricing_type is 'Paid once, or every interval.';
comment on type pricing_plan_interval is 'How often a subscription is paid.';
"""

SEEDS = """
insert into plans (code, version, name, state, trial_days) values
    ('free', 1, 'Free', 'published', 0), ('pro', 1, 'Pro', 'published', 14),
    ('business', 1, 'Business', 'published', 14), ('enterprise', 1, 'Enterprise', 'published', 0);

insert into meters (key, aggregation, value_property, unit) values
    ('records', 'sum', 'quantity', 'record'),
    ('api_calls', 'sum', 'quantity', 'call'),
    ('automations', 'sum', 'quantity', 'run'),
    ('storage', 'sum', 'quantity', 'byte'),
    ('mau', 'unique_count', 'user_id', 'user'),
    ('schedules', 'sum', 'quantity', 'run'),
    ('ai_tokens', 'sum', 'quantity', 'token');

insert into meter_event_types (event_type, meter_key, sign) values
    ('record_created', 'records', 1), ('record_deleted', 'records', -1),
    ('api_call', 'api_calls', 1), ('automation_run', 'automations', 1),
    ('storage_used', 'storage', 1), ('storage_freed', 'storage', -1),
    ('user_active', 'mau', 1), ('schedule_executed', 'schedules', 1),
    ('ai_tokens_used', 'ai_tokens', 1);

insert into plan_features
    (plan_id, feature_key, limit_value, meter_key, reset_interval, enforcement, requires)
select plans.id, key, case plans.code when 'free' then free when 'pro' then pro
                      when 'business' then business else -1 end,
    meter, reset, enforcement, requires
from plans, (values
    ('max_records', 100, 10000, 100000, 'records', 'never', 'hard', null),
    ('max_api_calls_per_month', 1000, 100000, 1000000, 'api_calls', 'month', 'hard', 'api_access'),
    ('max_automations', 100, 5000, 50000, 'automations', 'month', 'hard', null),
    ('max_storage_gb', 1, 50, 500, 'storage', 'never', 'hard', null),
    ('max_mau', 100, 5000, 50000, 'mau', 'calendar_month', 'soft', null),
    ('max_schedules', 50, 2000, 20000, 'schedules', 'month', 'hard', null),
    ('max_ai_tokens_per_month', 10000, 1000000, 10000000, 'ai_tokens', 'month', 'hard', null),
    ('max_seats', 1, 5, 50, null, 'never', 'hard', null)
) as key (key, free, pro, business, meter, reset, enforcement, requires);

insert into plan_features (plan_id, feature_key, flags, reset_interval, enforcement)
select plans.id, 'features',
    (select jsonb_object_agg(flag, plans.code = any (since))
     from (values
        ('basic', array['free', 'pro', 'business', 'enterprise']),
        ('api_access', array['pro', 'business', 'enterprise']),
        ('advanced_analytics', array['pro', 'business', 'enterprise']),
        ('sso', array['business', 'enterprise']),
        ('custom_branding', array['business', 'enterprise']),
        ('priority_support', array['business', 'enterprise']),
        ('dedicated_support', array['enterprise']),
        ('custom_contracts', array['enterprise'])
     ) as flags (flag, since)),
    'never', 'hard'
from plans;

insert into products (plan_id, name)
select id, name from plans where code in ('pro', 'business');

insert into prices (product_id, type, kind, unit_amount, currency, interval)
select products.id, 'recurring', kind, amount, currency, interval::pricing_plan_interval
from products join plans on plans.id = plan_id, (values
    ('pro', 'base', 2900, 'USD', 'month'), ('pro', 'base', 29000, 'USD', 'year'),
    ('pro', 'base', 3000, 'COIN', 'month'), ('pro', 'seat', 600, 'USD', 'month'),
    ('business', 'base', 9900, 'USD', 'month'), ('business', 'base', 99000, 'USD', 'year'),
    ('business', 'base', 10000, 'COIN', 'month'), ('business', 'seat', 500, 'USD', 'month')
) as price (code, kind, amount, currency, interval)
where price.code = plans.code;
"""

TRIGGERS = """
create trigger plan_features_noted before insert or update or delete on plan_features
    for each row execute function note_plan_feature_change();
create trigger plan_features_touched before update on plan_features
    for each row execute function update_updated_at_column();
"""

OPEN = (
    *("plans", "plan_features", "plan_feature_changes", "meters", "meter_event_types"),
    *("products", "prices"),
)

TABLES = """
create table plans (
    id uuid default uuidv7() not null,
    code text not null,
    version integer not null,
    name text not null,
    state text not null,
    trial_days integer default 0 not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint plans_version_is_one unique (code, version),
    constraint plans_state_known check (state in ('draft', 'published', 'retired'))
);
comment on table plans is 'Versions of plans. A subscriber keeps the version they bought until migrated.';

create table plan_features (
    plan_id uuid not null,
    feature_key text not null,
    limit_value bigint,
    flags jsonb default '{}' not null,
    meter_key text,
    reset_interval text not null,
    enforcement text not null,
    requires text,
    row_version bigint default 1 not null,
    created_at timestamptz default clock_timestamp() not null,
    updated_at timestamptz default clock_timestamp() not null,
    primary key (plan_id, feature_key),
    constraint plan_features_limit_known check (limit_value >= -1),
    constraint plan_features_reset_known check (reset_interval in ('never', 'month', 'calendar_month')),
    constraint plan_features_enforcement_known check (enforcement in ('hard', 'soft')),
    foreign key(plan_id) references plans (id)
);
comment on table plan_features is 'What each version of a plan allows: nine rows a version. An edited row acts at once.';
comment on column plan_features.limit_value is '-1 is unlimited; null where flags are kept.';
comment on column plan_features.flags is 'What the plan switches on or off, by name; only in the row `features`.';
comment on column plan_features.meter_key is 'The meter that is counted against the limit.';
comment on column plan_features.requires is 'The flag without which the limit is worth nothing.';
comment on column plan_features.row_version is 'Counts changes of the row; a trigger keeps it.';

create table plan_feature_changes (
    id uuid default uuidv7() not null,
    plan_id uuid not null,
    feature_key text not null,
    before jsonb,
    after jsonb,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id)
);
comment on table plan_feature_changes is 'Every change of plan_features, written by a trigger; only ever added to.';

create table entitlement_refreshes (
    change_id uuid not null,
    plan_id uuid not null,
    after_org uuid,
    done_at timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (change_id)
);
create index entitlement_refreshes_open on entitlement_refreshes (change_id) where done_at is null;
comment on table entitlement_refreshes is 'How far each change of a plan has reached those who are on it.';
comment on column entitlement_refreshes.after_org is 'Organisations up to here were settled anew; null: none.';

create table meters (
    key text not null,
    aggregation text not null,
    value_property text,
    unit text not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (key),
    constraint meters_aggregation_known check (aggregation in ('sum', 'count', 'max', 'unique_count'))
);
comment on table meters is 'What is counted, and how events add up.';
comment on column meters.value_property is 'The member of an event''s data that is counted.';

create table meter_event_types (
    event_type text not null,
    meter_key text not null,
    sign integer not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (event_type),
    constraint meter_event_types_sign_known check (sign in (-1, 1)),
    foreign key(meter_key) references meters (key)
);
comment on table meter_event_types is 'Which meter an event of a type counts on.';
comment on column meter_event_types.sign is '-1 where an event takes away.';

create table products (
    id uuid default uuidv7() not null,
    plan_id uuid not null,
    name text not null,
    stripe_product_id text,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    foreign key(plan_id) references plans (id)
);
create index products_plan_id on products (plan_id);
comment on table products is 'What a plan''s version is sold as.';
comment on column products.stripe_product_id is 'Its mirror at Stripe, once it was synchronised.';

create table prices (
    id uuid default uuidv7() not null,
    product_id uuid not null,
    type pricing_type not null,
    kind text not null,
    feature_key text,
    block bigint,
    unit_amount bigint not null,
    currency text not null,
    interval pricing_plan_interval,
    stripe_price_id text,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint prices_kind_known check (kind in ('base', 'seat', 'overage')),
    constraint prices_never_negative check (unit_amount >= 0),
    constraint prices_overage_of check ((kind = 'overage') = (feature_key is not null)),
    constraint prices_overage_in_blocks check ((feature_key is null) = (block is null)),
    foreign key(product_id) references products (id),
    unique (stripe_price_id)
);
create index prices_product_id on prices (product_id);
comment on table prices is 'What a product costs. Immutable: a new price is a new row.';
comment on column prices.feature_key is 'Whose overage it prices.';
comment on column prices.block is 'How many units of overage one amount buys.';
comment on column prices.unit_amount is 'In minor units of the currency.';
comment on column prices.currency is 'ISO 4217, or COIN.';
"""


def upgrade() -> None:
    """Make them."""
    op.execute((FUNCTIONS / "update_updated_at_column.sql").read_text())
    op.execute(TYPES)
    op.execute(TABLES)
    for table in OPEN:
        op.execute(protect_open(table))
    op.execute(protect("entitlement_refreshes", read=IS_STAFF, write=IS_STAFF))
    op.execute(SEEDS)
    op.execute((FUNCTIONS / "note_plan_feature_change.sql").read_text())
    op.execute(TRIGGERS)
    # What was changed is history, and what was agreed is not rewritten: but its mirror's name is.
    op.execute("revoke update, delete on plan_feature_changes, prices from billing")
    op.execute("grant update (stripe_price_id) on prices to billing")


def downgrade() -> None:
    """Take them away; what they hold is lost."""
    op.execute(
        "drop table prices, products, meter_event_types, meters, entitlement_refreshes,"
        " plan_feature_changes, plan_features, plans"
    )
    op.execute("drop function note_plan_feature_change, update_updated_at_column")
    op.execute("drop type pricing_plan_interval, pricing_type")
