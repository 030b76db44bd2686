"""Proofs of the book, and the views that its readers know by name."""

from alembic import op

from hazina.pg import IS_STAFF, protect

revision = "20261121054500"
down_revision = "20261121054000"
branch_labels = None
depends_on = None

TABLES = """
create table check_run (
    id uuid not null,
    level text not null,
    ok boolean not null,
    findings jsonb not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id)
);
comment on table check_run is 'Each proof of the book, and every difference that it found.';
"""

# Security invoker: a view shows each caller the rows that row-level security lets them see.
VIEWS = """
create view user_balances with (security_invoker = true) as
select user_id, dao_id, currency, available_balance, pending_balance, locked_balance,
       available_balance + pending_balance + locked_balance as total_balance, last_updated
from (
    select a.owner_id as user_id, a.dao_id, a.asset as currency,
           coalesce(sum(b.posted - b.held) filter (where a.purpose = 'available'), 0)::bigint
               as available_balance,
           coalesce(sum(b.posted) filter (where a.purpose = 'pending'), 0)::bigint
               as pending_balance,
           (coalesce(sum(b.held) filter (where a.purpose = 'available'), 0)
               + coalesce(sum(b.posted) filter (where a.purpose = 'moneybox'), 0))::bigint
               as locked_balance,
           max(b.updated_at) as last_updated
    from account a join balance b on b.account_id = a.id
    where a.owner_type = 'user'
    group by a.owner_id, a.dao_id, a.asset
) held;
comment on view user_balances is 'What each member has available, on its way out, and locked.';

create view profiles with (security_invoker = true) as
select t.user_id as id,
       coalesce(sum(b.posted - b.held) filter (where a.purpose = 'available'), 0)::bigint
           as coin_balance,
       coalesce(sum(b.posted - b.held) filter (where a.purpose = 'earnings'), 0)::bigint
           as earnings_balance,
       coalesce(-sum(b.posted) filter (where a.purpose = 'debt'), 0)::bigint as coin_debt,
       t.total_purchased, t.total_spent, t.total_gifts_received, t.total_gifts_sent
from profile_totals t
left join account a
    on a.owner_type = 'user' and a.owner_id = t.user_id and a.dao_id is null and a.asset = 'COIN'
left join balance b on b.account_id = a.id
group by t.user_id;
comment on view profiles is 'Each user''s coins, earnings, debt and totals.';

create view coin_ledger with (security_invoker = true) as
select a.owner_id as profile_id, e.seq, e.amount, e.balance_after, t.kind as transaction_type,
       e.transaction_id, t.reference, e.created_at
from account a
join entry e on e.account_id = a.id
join transaction t on t.id = e.transaction_id
where a.owner_type = 'user' and a.asset = 'COIN' and a.purpose = 'available' and a.dao_id is null;
comment on view coin_ledger is 'Every coin that a user got or spent, in order.';
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(protect("check_run", read=IS_STAFF))
    op.execute("revoke update, delete, truncate on check_run from ledger")
    op.execute(VIEWS)


def downgrade() -> None:
    for name in ("coin_ledger", "profiles", "user_balances"):
        op.execute(f"drop view {name}")
    op.execute("drop table check_run")
