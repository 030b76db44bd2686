"""What can be done with a payer: admit those who may look, note it, lock it."""

from collections.abc import Sequence
from uuid import UUID

from billing.customer import rules, store
from billing.customer.rules import Customer
from hazina.auth import Caller
from hazina.pg import Transaction

STAFF = ("admin", "super_admin")


def admit(caller: Caller, org_id: UUID, permission: str) -> None:
    """Let staff pass, and members of `org_id` whose role carries `permission`.

    Raises OrgUnknown for another organisation, then Forbidden.
    """
    staff = is_staff(caller)
    rules.require_own(org_id, caller.org_id, staff=staff)
    if not staff:
        caller.require(permission)


def is_staff(caller: Caller) -> bool:
    """Tell whether the caller is staff that gave a second factor."""
    return caller.actor.role in STAFF


async def note_in(tx: Transaction, customers: Sequence[Customer]) -> None:
    """Note payers, whether they are new or not, and lock them until `tx` ends.

    No two of `customers` are the same organisation.
    """
    await store.add_customers(tx, customers)


async def lock_in(tx: Transaction, org_ids: Sequence[UUID]) -> None:
    """Lock these payers until `tx` ends: whoever changes what an organisation has does so first."""
    await store.lock_customers(tx, org_ids)
