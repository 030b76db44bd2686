"""The payers' SQL. Reads and writes; decides nothing."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from billing.customer.rules import Customer
from hazina.pg import Transaction

# What is known stays: two facts tell of one organisation, each only half, in either order.
ADD = text("""
    insert into billing_customers (org_id, name, personal_user_id)
    select * from unnest(cast(:org_ids as uuid[]), cast(:names as text[]),
                         cast(:users as uuid[])) as told (org_id, name, personal_user_id)
    order by org_id
    on conflict (org_id) do update
       set name = coalesce(billing_customers.name, excluded.name),
           personal_user_id =
               coalesce(billing_customers.personal_user_id, excluded.personal_user_id)
""")
LOCK = text("""
    select org_id from billing_customers where org_id = any (cast(:org_ids as uuid[]))
    order by org_id for update
""")


async def add_customers(tx: Transaction, customers: Sequence[Customer]) -> None:
    """Add payers that are new, add to others what was not known of them, and lock them all."""
    await tx.execute(
        ADD,
        {
            "org_ids": [customer.org_id for customer in customers],
            "names": [customer.name for customer in customers],
            "users": [customer.personal_user_id for customer in customers],
        },
    )


async def lock_customers(tx: Transaction, org_ids: Sequence[UUID]) -> None:
    """Lock these organisations until the transaction ends, in one order for all."""
    await tx.execute(LOCK, {"org_ids": list(org_ids)})
