"""The book: keys, transactions, entries, and the one function that writes them."""

from pathlib import Path

from alembic import op

from hazina.pg import IS_STAFF, ORG_ID, USER_ID, protect

revision = "20261121053000"
down_revision = "20261121052500"
branch_labels = None
depends_on = None

TABLES = """
create table idempotency (
    key uuid not null,
    request_hash bytea not null,
    resource_id uuid not null,
    problem jsonb,
    request jsonb,
    created_at timestamptz default clock_timestamp() not null,
    primary key (key)
)
partition by hash (key);
comment on table idempotency is 'Every attempt to move money, answered the same way for ever. Never pruned.';
comment on column idempotency.key is 'Hash of caller, route and the caller''s key.';
comment on column idempotency.resource_id is 'What the first attempt made.';
comment on column idempotency.problem is 'Why it was refused: for ever.';
comment on column idempotency.request is 'A digest per field, where it is kept.';

create table transaction (
    id uuid not null,
    kind text not null,
    reference text,
    metadata jsonb not null,
    actor_id uuid,
    account_ids uuid[] not null,
    amounts bigint[] not null,
    seqs bigint[] not null,
    balances_after bigint[] not null,
    reverses uuid,
    xid xid8 default pg_current_xact_id() not null,
    created_at timestamptz not null,
    primary key (id)
);
create index transaction_reference on transaction (reference) where reference is not null;
create unique index transaction_reverses_once on transaction (reverses) where reverses is not null;
create index transaction_xid on transaction (xid);
comment on table transaction is 'A movement of money that balances, with its receipt. Written by post_batch only.';
comment on column transaction.actor_id is 'Who asked; null for the service itself.';
comment on column transaction.reverses is 'The transaction that this one takes back.';

create table entry (
    account_id uuid not null,
    seq bigint not null,
    transaction_id uuid not null,
    amount bigint not null,
    balance_after bigint not null,
    created_at timestamptz not null,
    primary key (account_id, seq),
    constraint entry_moves_something check (amount <> 0)
);
create index entry_created_at on entry using brin (created_at);
comment on table entry is 'One account''s part of a transaction. Written by post_batch only, never changed.';
comment on column entry.seq is '1, 2, 3 … without a gap per account.';
comment on column entry.amount is 'Positive: owed to the owner.';

create table transaction_fees (
    id uuid not null,
    transaction_id uuid not null,
    transaction_type text not null,
    fee_type text not null,
    fee_category text not null,
    base_amount bigint not null,
    fee_amount bigint not null,
    fee_bps integer not null,
    currency text not null,
    paid_by uuid not null,
    platform_revenue bigint not null,
    dao_id uuid,
    dao_revenue bigint not null,
    reverses uuid,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint transaction_fees_once unique (transaction_id, fee_type)
);
comment on table transaction_fees is 'What was taken of a transaction, and whose it became.';
"""

KEY_PARTITIONS = 16

FUNCTIONS = Path(__file__).parents[1] / "functions"

# One text, two faces. A plan made for any number of elements is the quicker one for a few and
# quadratic for a thousand; one that joins by loops is right for a few and quadratic as well.
FACES = (
    {
        "name": "post_batch",
        "batches": "large",
        "plan_cache_mode": "force_custom_plan",
        "enable_nestloop": "off",
    },
    {
        "name": "post_small_batch",
        "batches": "small",
        "plan_cache_mode": "force_generic_plan",
        "enable_nestloop": "on",
    },
)

OF_OWN_ACCOUNT = f"""case when {IS_STAFF} then true
    else exists (select from account where account.id = account_id) end"""
OF_OWN_ACCOUNTS = f"""case when {IS_STAFF} then true
    else exists (select from account where account.id = any (account_ids)) end"""


def upgrade() -> None:
    op.execute(TABLES)
    for number in range(KEY_PARTITIONS):
        part = f"idempotency_{number:02}"
        op.execute(
            f"create table {part} partition of idempotency"
            f" for values with (modulus {KEY_PARTITIONS}, remainder {number})"
        )
        op.execute(
            f"comment on table {part} is 'A sixteenth of the keys; used by way of idempotency.'"
        )
        op.execute(protect(part, read=IS_STAFF))
    op.execute(protect("idempotency", read=IS_STAFF))
    op.execute(protect("transaction", read=OF_OWN_ACCOUNTS))
    op.execute(protect("entry", read=OF_OWN_ACCOUNT))
    op.execute(
        protect(
            "transaction_fees",
            read=f"paid_by in ({USER_ID}, {ORG_ID}) or dao_id = {ORG_ID} or {IS_STAFF}",
        )
    )
    op.execute("revoke insert, update, delete, truncate on transaction, entry from ledger")
    op.execute("revoke update, delete, truncate on idempotency, transaction_fees from ledger")
    op.execute((FUNCTIONS / "verdict.sql").read_text())
    for face in FACES:
        op.execute((FUNCTIONS / "post_batch.sql").read_text().format_map(face))


def downgrade() -> None:
    for face in FACES:
        op.execute(f"drop function {face['name']}")
    op.execute("drop function verdict")
    for name in ("transaction_fees", "entry", "transaction", "idempotency"):
        op.execute(f"drop table {name}")
