"""What wallets hold and how it moves: one function posts, and the books always balance."""

from pathlib import Path

from alembic import op

from hazina.pg import IS_STAFF, ORG_ID, USER_ID, protect, protect_open

FUNCTIONS = Path(__file__).parents[1] / "functions"


revision = "20261121052000"
down_revision = "20261121051000"
branch_labels = None
depends_on = None

PARTITIONS = """
create table vibe_token_balances partition of token_balances for values in ('VIBES');
create unique index idx_balances_wallet on vibe_token_balances (wallet_id);
comment on table vibe_token_balances is 'VIBES: one row a wallet.';
create table other_token_balances partition of token_balances default;
comment on table other_token_balances is 'Every token but VIBES.';
alter table vibe_token_balances enable row level security;
alter table vibe_token_balances force row level security;
alter table other_token_balances enable row level security;
alter table other_token_balances force row level security;
"""

SEEDS = """
insert into tokens (token, decimals, unit)
select token, decimals, ('1e-' || decimals)::numeric
from (values ('VIBES', 8), ('MTAA', 8), ('USDC', 6), ('SOL', 9), ('ETH', 18), ('POL', 18),
    ('cUSD', 18), ('CELO', 18)) as told (token, decimals);
"""

TRIGGERS = """
create trigger crypto_transactions_kept before update or delete on crypto_transactions
    for each row execute function keep_log();
create trigger token_entries_balance after insert on token_entries
    referencing new table as added for each statement execute function require_zero_sum();
"""

OF_OWN_WALLET = f"""case when {IS_STAFF} then true
    else exists (select from crypto_wallets w where w.id = wallet_id) end"""

OF_EITHER_SIDE = f"""from_owner in ({USER_ID}, {ORG_ID}) or to_owner in ({USER_ID}, {ORG_ID})
    or {IS_STAFF}"""

TABLES = """
create table tokens (
    token varchar(20) not null,
    decimals smallint not null,
    unit numeric not null,
    status text default 'live' not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (token),
    constraint tokens_status_known check (status in ('live', 'frozen')),
    constraint tokens_decimals_known check (decimals between 0 and 18)
);
comment on table tokens is 'What can be held. Amounts are counted in base units of 10^-decimals.';
comment on column tokens.unit is '10^-decimals of the token.';

create table token_balances (
    wallet_id uuid not null,
    token varchar(20) not null,
    id uuid default uuidv7() not null,
    unit numeric not null,
    available_base numeric(78, 0) default 0 not null check (available_base >= 0),
    available_balance numeric generated always as (available_base * unit) stored,
    held_base numeric(78, 0) default 0 not null check (held_base >= 0),
    held_balance numeric generated always as (held_base * unit) stored,
    staked_base numeric(78, 0) default 0 not null check (staked_base >= 0),
    staked_balance numeric generated always as (staked_base * unit) stored,
    pending_rewards_base numeric(78, 0) default 0 not null check (pending_rewards_base >= 0),
    pending_rewards numeric generated always as (pending_rewards_base * unit) stored,
    lifetime_earned_base numeric(78, 0) default 0 not null check (lifetime_earned_base >= 0),
    lifetime_earned numeric generated always as (lifetime_earned_base * unit) stored,
    created_at timestamptz default clock_timestamp() not null,
    updated_at timestamptz default clock_timestamp() not null,
    primary key (wallet_id, token)
)
 PARTITION BY list (token);
comment on table token_balances is 'What a wallet holds of a token right now. Written by post() only.';
comment on column token_balances.unit is '10^-decimals of the token.';

create table crypto_transactions (
    id uuid not null,
    from_wallet_id uuid,
    to_wallet_id uuid,
    from_owner uuid,
    to_owner uuid,
    from_address varchar(100),
    to_address varchar(100),
    token varchar(20) not null,
    unit numeric not null,
    amount_base numeric(78, 0) not null check (amount_base >= 0),
    amount numeric generated always as (amount_base * unit) stored,
    fee_base numeric(78, 0) default 0 not null check (fee_base >= 0),
    fee numeric generated always as (fee_base * unit) stored,
    chain text not null,
    tx_hash text,
    status text not null,
    type text not null,
    metadata jsonb default '{}' not null,
    note text,
    block_height bigint,
    confirmed_at timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint crypto_transactions_status_known check (status in ('pending', 'confirmed', 'failed')),
    constraint crypto_transactions_type_known check (type in ('transfer', 'reward', 'stake', 'unstake', 'tip', 'payment', 'withdrawal', 'deposit', 'swap'))
);
create index crypto_transactions_received on crypto_transactions (to_owner, created_at desc, id desc);
create index crypto_transactions_sent on crypto_transactions (from_owner, created_at desc, id desc);
create index idx_transactions_created on crypto_transactions (created_at);
create index idx_transactions_from on crypto_transactions (from_wallet_id);
create index idx_transactions_status on crypto_transactions (status);
create index idx_transactions_to on crypto_transactions (to_wallet_id);
comment on table crypto_transactions is 'Immutable log of what moved: a pending row is confirmed or fails, once.';
comment on column crypto_transactions.unit is '10^-decimals of the token.';
comment on column crypto_transactions.chain is 'internal where only our books moved.';

create table token_entries (
    transaction_id uuid not null,
    n smallint not null,
    wallet_id uuid,
    house text,
    slot smallint,
    bucket text not null,
    token varchar(20) not null,
    delta_base numeric(78, 0) not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (transaction_id, n),
    constraint token_entries_one_side check (num_nonnulls(wallet_id, house) = 1),
    constraint token_entries_slot_of_house check ((house is null) = (slot is null)),
    constraint token_entries_bucket_known check (bucket in ('available', 'held', 'staked')),
    constraint token_entries_move_something check (delta_base <> 0)
);
create index token_entries_wallet_id on token_entries (wallet_id, token);
comment on table token_entries is 'Double entry: per transaction and token the deltas sum to zero. Only ever added to.';
comment on column token_entries.house is 'The account of the house, where it is no wallet''s.';

create table house_balances (
    account text not null,
    token varchar(20) not null,
    slot smallint not null,
    balance_base numeric(78, 0) not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (account, token, slot),
    constraint house_balances_slot_known check (slot between 0 and 15),
    constraint house_balances_account_known check (account in ('fees', 'rewards', 'stake_rewards', 'swap', 'issuance', 'gas') or account like 'chain:%%'),
    constraint house_balances_never_below_zero check (balance_base >= 0 or account in ('issuance', 'gas') or account like 'chain:%%')
)
 with (fillfactor = 50);
comment on table house_balances is 'What the house holds, in 16 slots each so that writers rarely meet.';
"""


def upgrade() -> None:
    """Make them."""
    op.execute(TABLES)
    op.execute(PARTITIONS)
    op.execute(protect_open("tokens"))
    op.execute(protect("token_balances", read=OF_OWN_WALLET))
    op.execute(protect("crypto_transactions", read=OF_EITHER_SIDE))
    op.execute(protect("token_entries", read=IS_STAFF))
    op.execute(protect("house_balances", read=IS_STAFF))
    op.execute(SEEDS)
    for function in ("keep_log", "require_zero_sum", "post"):
        op.execute((FUNCTIONS / f"{function}.sql").read_text())
    op.execute(TRIGGERS)
    # Money is moved by post() alone; of the log a row's end may be noted.
    op.execute(
        "revoke insert, update, delete on token_balances, vibe_token_balances,"
        " other_token_balances, token_entries, house_balances, crypto_transactions from crypto"
    )
    op.execute(
        "grant update (status, tx_hash, block_height, confirmed_at, note)"
        " on crypto_transactions to crypto"
    )


def downgrade() -> None:
    """Take them away; what they hold is lost."""
    op.execute("drop function post")
    op.execute(
        "drop table house_balances, token_entries, crypto_transactions, token_balances, tokens"
    )
    op.execute("drop function require_zero_sum, keep_log")
