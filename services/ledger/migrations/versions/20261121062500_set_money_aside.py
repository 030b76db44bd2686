"""Holds: money set aside until it is captured, given back, or its time is over."""

from alembic import op

from hazina.pg import IS_STAFF, protect

revision = "20261121062500"
down_revision = "20261121054500"
branch_labels = None
depends_on = None

TABLES = """
create table hold (
    id uuid not null,
    from_account uuid not null,
    to_account uuid not null,
    asset text not null,
    amount bigint not null,
    captured bigint not null,
    status text not null,
    expires_at timestamptz not null,
    transaction_id uuid,
    reference text,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint hold_status check (status in ('pending', 'captured', 'voided', 'expired')),
    constraint hold_captures_no_more check (captured between 0 and amount)
);
create index hold_due on hold (expires_at) where status = 'pending';
comment on table hold is 'Money set aside until it is captured, given back, or its time is over.';
comment on column hold.captured is 'Of amount; the rest was freed.';
comment on column hold.transaction_id is 'That captured it.';
"""

OF_OWN_ACCOUNT = f"""case when {IS_STAFF} then true
    else exists (select from account where account.id in (from_account, to_account)) end"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(protect("hold", read=OF_OWN_ACCOUNT))
    op.execute("revoke delete, truncate on hold from ledger")


def downgrade() -> None:
    op.execute("drop table hold")
