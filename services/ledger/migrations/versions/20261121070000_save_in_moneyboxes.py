"""Moneyboxes: tiers, savings, what moved in them, and the commissions that fill them."""

from alembic import op

from hazina.pg import IS_STAFF, USER_ID, protect, protect_open

revision = "20261121070000"
down_revision = "20261121062500"
branch_labels = None
depends_on = None

TABLES = """
create table moneybox_tiers (
    tier integer not null,
    name text not null,
    lock_days integer not null,
    bonus_bps integer not null,
    penalty_bps integer[] not null,
    roles text[] not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (tier),
    constraint moneybox_tiers_lock check (lock_days > 0),
    constraint moneybox_tiers_bonus check (bonus_bps between 0 and 10000),
    constraint moneybox_tiers_thirds check (cardinality(penalty_bps) = 3)
);
comment on table moneybox_tiers is 'How long money can be locked, what that earns, and what leaving early costs.';
comment on column moneybox_tiers.bonus_bps is 'For the whole time, of 10000.';
comment on column moneybox_tiers.penalty_bps is 'For leaving in the first, second and last third of the time, of 10000.';
comment on column moneybox_tiers.roles is 'Who may choose it; empty: everybody.';

create table moneybox_accounts (
    id uuid not null,
    user_id uuid not null,
    asset text not null,
    role text not null,
    tier integer not null,
    status text not null,
    autosave_percent integer not null,
    lock_days integer not null,
    bonus_bps integer not null,
    penalty_bps integer[] not null,
    lock_start_at timestamptz,
    matures_at timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint moneybox_accounts_status check (status in ('ACTIVE', 'MATURED', 'WITHDRAWN', 'LIQUIDATED')),
    constraint moneybox_accounts_autosave check (autosave_percent between 0 and 50),
    constraint moneybox_accounts_time check ((lock_start_at is null) = (matures_at is null))
);
create unique index moneybox_accounts_one_open on moneybox_accounts (user_id)
    where status in ('ACTIVE', 'MATURED');
create index moneybox_accounts_user_id on moneybox_accounts (user_id, id);
create index moneybox_accounts_due on moneybox_accounts (matures_at) where status = 'ACTIVE';
comment on table moneybox_accounts is 'Savings on terms that do not change: one open moneybox a user.';
comment on column moneybox_accounts.role is 'The owner''s when it was opened.';
comment on column moneybox_accounts.autosave_percent is 'Of each commission.';
comment on column moneybox_accounts.lock_days is 'The tier''s when it was opened.';
comment on column moneybox_accounts.bonus_bps is 'The tier''s when it was opened.';
comment on column moneybox_accounts.penalty_bps is 'The tier''s when opened.';
comment on column moneybox_accounts.lock_start_at is 'When the first money came.';

create table moneybox_ledger (
    id uuid not null,
    moneybox_id uuid not null,
    type text not null,
    amount bigint not null,
    meta_json jsonb not null,
    transaction_id uuid not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint moneybox_ledger_type check (type in ('DEPOSIT', 'AUTOSAVE', 'BONUS', 'PENALTY', 'WITHDRAWAL', 'LIQUIDATION')),
    constraint moneybox_ledger_sign check (case when type in ('DEPOSIT', 'AUTOSAVE', 'BONUS') then amount > 0 else amount < 0 end),
    constraint moneybox_ledger_once unique (transaction_id, type)
);
create index moneybox_ledger_moneybox_id on moneybox_ledger (moneybox_id, created_at);
comment on table moneybox_ledger is 'Every movement of every moneybox. Rows are only ever added.';
comment on column moneybox_ledger.amount is 'Negative when money left.';
comment on column moneybox_ledger.meta_json is 'What the moneybox was after it, so that a retry is answered the same.';

create table commissions (
    id uuid not null,
    user_id uuid not null,
    amount bigint not null,
    currency text not null,
    autosaved_amount bigint not null,
    moneybox_id uuid,
    source_type text not null,
    source_id text not null,
    transaction_id uuid not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint commissions_something check (amount > 0),
    constraint commissions_part check (autosaved_amount between 0 and amount),
    constraint commissions_box check ((moneybox_id is null) = (autosaved_amount = 0)),
    constraint commissions_once unique (source_type, source_id, user_id)
);
create index commissions_user_id on commissions (user_id, id);
comment on table commissions is 'What users earned by selling for others. Rows are only ever added.';
comment on column commissions.id is 'The same as its transaction''s.';
comment on column commissions.autosaved_amount is 'Of amount: the moneybox''s.';
comment on column commissions.moneybox_id is 'That took it; null when nothing was saved.';
comment on column commissions.source_id is 'What it was earned with.';
"""

SEEDS = """
insert into moneybox_tiers (tier, name, lock_days, bonus_bps, penalty_bps, roles) values
    (1, 'One month', 30, 0, '{700,500,200}', '{}'),
    (2, 'Four months', 120, 300, '{700,500,200}', '{}'),
    (3, 'Seven months', 210, 800, '{700,500,200}', '{}'),
    (4, 'Eleven months', 330, 1500, '{700,500,200}', '{}');
"""

OWN = f"user_id = {USER_ID} or {IS_STAFF}"
OF_OWN_BOX = f"""case when {IS_STAFF} then true
    else exists (select from moneybox_accounts box where box.id = moneybox_id) end"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(protect_open("moneybox_tiers"))
    op.execute(protect("moneybox_accounts", read=OWN))
    op.execute(protect("moneybox_ledger", read=OF_OWN_BOX))
    op.execute(protect("commissions", read=OWN))
    op.execute("revoke delete, truncate on moneybox_accounts from ledger")
    op.execute("revoke update, delete, truncate on moneybox_ledger, commissions from ledger")
    op.execute(SEEDS)


def downgrade() -> None:
    for name in ("commissions", "moneybox_ledger", "moneybox_accounts", "moneybox_tiers"):
        op.execute(f"drop table {name}")
