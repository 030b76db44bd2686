"""Coins for money: packages with their prices, purchases, provider events."""

from alembic import op

from hazina.pg import IS_STAFF, USER_ID, protect, protect_open

revision = "20261121053500"
down_revision = "20261121053000"
branch_labels = None
depends_on = None

TABLES = """
create table coin_packages (
    id uuid not null,
    code text not null,
    name text not null,
    coin_amount bigint not null,
    bonus_coins bigint not null,
    apple_product_id text,
    google_product_id text,
    is_active boolean not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint coin_packages_code unique (code)
);
comment on table coin_packages is 'How many coins can be bought at once.';

create table coin_package_prices (
    package_id uuid not null,
    currency text not null,
    amount bigint not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (package_id, currency)
);
comment on table coin_package_prices is 'What a package costs, in minor units of each currency it is sold in.';

create table coin_purchases (
    id uuid not null,
    profile_id uuid not null,
    package_id uuid not null,
    provider text not null,
    coin_amount bigint not null,
    bonus_coins bigint not null,
    amount bigint not null,
    currency text not null,
    status text not null,
    reason text,
    provider_payment_id varchar(255),
    provider_event_id varchar(255),
    provider_token text,
    refunded_amount bigint default 0 not null,
    disputed_amount bigint default 0 not null,
    clawed_coins bigint default 0 not null,
    debt_coins bigint default 0 not null,
    transaction_id uuid,
    confirmed_at timestamptz,
    expires_at timestamptz not null,
    next_attempt_at timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint coin_purchases_provider_payment_id unique (provider_payment_id),
    constraint coin_purchases_provider_event_id unique (provider_event_id),
    constraint coin_purchases_status check (status in ('pending', 'confirmed', 'review', 'failed', 'expired', 'refunded', 'chargeback')),
    constraint coin_purchases_confirmed_by_a_transaction check (status <> 'confirmed' or (transaction_id is not null and confirmed_at is not null))
);
create index coin_purchases_profile_id_created_at on coin_purchases (profile_id, created_at);
comment on table coin_purchases is 'Coins that somebody wants to buy, from the first click to the last dispute.';
comment on column coin_purchases.coin_amount is 'As priced when it was started.';
comment on column coin_purchases.provider_event_id is 'The notification that confirmed it.';
comment on column coin_purchases.provider_token is 'What the payer''s client needs to pay.';

create table provider_events (
    provider text not null,
    event_id text not null,
    type text not null,
    payment_id text,
    raw bytea not null,
    status text not null,
    attempts integer default 0 not null,
    next_attempt_at timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (provider, event_id),
    constraint provider_events_status check (status in ('received', 'done', 'parked', 'ignored', 'failed'))
);
comment on table provider_events is 'Every notification of a payment provider, once, as it came.';
comment on column provider_events.raw is 'The bytes that the signature covers.';
"""

# Ids are fixed, so that an app may name a package before it has asked for the list.
SEEDS = """
insert into coin_packages (id, code, name, coin_amount, bonus_coins, is_active) values
    ('00000000-0000-7000-8000-0000c0100100', 'coins_100', '100 coins', 100, 0, true),
    ('00000000-0000-7000-8000-0000c0100500', 'coins_500', '500 coins', 500, 0, true),
    ('00000000-0000-7000-8000-0000c0101000', 'coins_1000', '1,000 coins', 1000, 50, true),
    ('00000000-0000-7000-8000-0000c0105000', 'coins_5000', '5,000 coins', 5000, 500, true),
    ('00000000-0000-7000-8000-0000c3000000', 'coins_3000000', '3,000,000 coins', 3000000, 300000, true);
insert into coin_package_prices (package_id, currency, amount)
select p.id, c.currency, c.amount from coin_packages p
join (values
    ('coins_100', 'USD', 99), ('coins_100', 'EUR', 99), ('coins_100', 'KES', 13000),
    ('coins_500', 'USD', 499), ('coins_500', 'EUR', 479), ('coins_500', 'KES', 65000),
    ('coins_1000', 'USD', 999), ('coins_1000', 'EUR', 949), ('coins_1000', 'KES', 129000),
    ('coins_5000', 'USD', 4999), ('coins_5000', 'EUR', 4749), ('coins_5000', 'KES', 649000),
    ('coins_3000000', 'USD', 2500000)
) c (code, currency, amount) on c.code = p.code;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(protect_open("coin_packages"))
    op.execute(protect_open("coin_package_prices"))
    op.execute(protect("coin_purchases", read=f"profile_id = {USER_ID} or {IS_STAFF}"))
    op.execute(protect("provider_events", read=IS_STAFF))
    op.execute("revoke delete, truncate on coin_purchases, provider_events from ledger")
    op.execute(SEEDS)


def downgrade() -> None:
    for name in ("provider_events", "coin_purchases", "coin_package_prices", "coin_packages"):
        op.execute(f"drop table {name}")
