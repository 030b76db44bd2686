"""Who can hold money, and what each account holds."""

from pathlib import Path

from alembic import op

from hazina.pg import IS_STAFF, ORG_ID, USER_ID, protect, protect_open

revision = "20261121052500"
down_revision = "20261121052000"
branch_labels = None
depends_on = None

TABLES = """
create table assets (
    code text not null,
    exponent smallint not null,
    transferable boolean not null,
    swappable boolean not null,
    payout_review_from bigint,
    created_at timestamptz default clock_timestamp() not null,
    primary key (code)
);
comment on table assets is 'What can be held: coins of the house, and currencies in minor units.';
comment on column assets.exponent is 'Digits after the point.';
comment on column assets.payout_review_from is 'Payouts from this many minor units wait for an admin; null: none do.';

create table account (
    id uuid not null,
    owner_type text not null,
    owner_id uuid,
    dao_id uuid,
    asset text not null,
    purpose text not null,
    shard integer not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint account_is_one unique nulls not distinct (owner_type, owner_id, dao_id, asset, purpose, shard),
    constraint account_owner_type check (owner_type in ('user', 'org', 'platform')),
    constraint account_owner check ((owner_type = 'platform') = (owner_id is null))
);
create index account_owner_id on account (owner_id);
comment on table account is 'Who holds what, and for what: the cold half of a balance. Rows are only ever added.';
comment on column account.id is 'Derived from the other columns.';
comment on column account.owner_id is 'Null for the platform''s own.';
comment on column account.dao_id is 'The organisation in which a member holds this share.';
comment on column account.shard is 'Platform accounts have one per writer.';

create table balance (
    account_id uuid not null,
    posted bigint default 0 not null,
    held bigint default 0 not null,
    floor bigint not null,
    ceiling bigint not null,
    flags integer default 0 not null,
    seq bigint default 0 not null,
    updated_at timestamptz default clock_timestamp() not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (account_id),
    constraint balance_holds_back_nothing_negative check (held >= 0),
    constraint balance_never_below_its_floor check (posted - held >= floor)
)
with (fillfactor = 50);
comment on table balance is 'What an account holds right now: the hot half. Written by functions only.';
comment on column balance.flags is '2 no debit, 4 no credit by the owner''s state; 16, 32 by staff; 8 closed.';
comment on column balance.seq is 'Entries so far.';

create table balance_monitors (
    id uuid not null,
    account_id uuid not null,
    op text not null,
    threshold bigint not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint balance_monitors_op check (op in ('above', 'below'))
);
create index balance_monitors_account_id on balance_monitors (account_id);
comment on table balance_monitors is 'Balances that somebody wants to hear about when they cross a line.';
comment on column balance_monitors.op is 'above or below: the direction that is reported.';

create table monitor_hits (
    id uuid default uuidv7() not null,
    monitor_id uuid not null,
    before bigint not null,
    after bigint not null,
    published_at timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id)
);
create index monitor_hits_untold on monitor_hits (id) where published_at is null;
comment on table monitor_hits is 'Lines that were crossed, found by the batch that crossed them, told by a job.';

create table user_state (
    user_id uuid not null,
    org_id uuid not null,
    role text not null,
    state text not null,
    since_at timestamptz not null,
    version bigint not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (user_id),
    constraint user_state_state check (state in ('active', 'suspended', 'banned', 'erased'))
);
comment on table user_state is 'What identity told us of each user: it decides whose accounts are frozen.';
comment on column user_state.org_id is 'The user''s personal organisation.';
comment on column user_state.role is 'Their role in the marketplace.';
comment on column user_state.version is 'Of the identity''s user; newer wins.';

create table profile_totals (
    user_id uuid not null,
    total_purchased bigint default 0 not null,
    total_spent bigint default 0 not null,
    total_gifts_received bigint default 0 not null,
    total_gifts_sent bigint default 0 not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (user_id)
);
comment on table profile_totals is 'Gross coins per user over all time, kept in the transactions that move them.';
"""

SEEDS = """
insert into assets (code, exponent, transferable, swappable) values
    ('COIN', 0, false, false),
    ('USD', 2, true, true), ('KES', 2, true, true), ('EUR', 2, true, true),
    ('cUSD', 6, true, true), ('CELO', 6, true, true), ('MTAA', 6, true, true);
"""

FUNCTIONS = Path(__file__).parents[1] / "functions"

OWN = f"""(owner_type = 'user' and owner_id = {USER_ID})
    or (owner_type = 'org' and owner_id = {ORG_ID}) or {IS_STAFF}"""

# `case`, so that the service, which reads a thousand at once, never pays for the subquery.
OF_OWN_ACCOUNT = f"""case when {IS_STAFF} then true
    else exists (select from account where account.id = account_id) end"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(protect_open("assets"))
    op.execute(protect("account", read=OWN))
    op.execute(protect("balance", read=OF_OWN_ACCOUNT))
    op.execute(protect("balance_monitors", read=OF_OWN_ACCOUNT))
    op.execute(protect("monitor_hits", read=IS_STAFF))
    op.execute(protect("user_state", read=IS_STAFF))
    op.execute(protect("profile_totals", read=f"user_id = {USER_ID} or {IS_STAFF}"))
    # What an account holds is changed by functions alone: no statement of the app may do it.
    op.execute("revoke insert, update, delete, truncate on account, balance from ledger")
    for name in ("open_accounts", "lock_balances", "flag_balances", "set_limits"):
        op.execute((FUNCTIONS / f"{name}.sql").read_text())
    op.execute(SEEDS)


def downgrade() -> None:
    for name in ("set_limits", "flag_balances", "lock_balances", "open_accounts"):
        op.execute(f"drop function {name}")
    for name in (
        "profile_totals",
        "user_state",
        "monitor_hits",
        "balance_monitors",
        "balance",
        "account",
        "assets",
    ):
        op.execute(f"drop table {name}")
