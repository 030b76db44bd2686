"""What we do when identity tells of new organisations."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from billing.customer.rules import Customer
from billing.subscription import actions
from billing.subscription.actions import Newcomer
from hazina.outbox import ConsumedEvent, Received
from hazina.pg import Transaction


class UserRegistered(ConsumedEvent, type="identity.user.registered.v1"):
    """Somebody signed up; with them came a personal organisation."""

    user_id: UUID
    personal_org_id: UUID


class OrgCreated(ConsumedEvent, type="identity.org.created.v1"):
    """There is a new organisation."""

    org_id: UUID
    name: str
    is_personal: bool
    owner_id: UUID


async def start_for_users(tx: Transaction, facts: Sequence[Received[UserRegistered]]) -> None:
    """Give each personal organisation its Free subscription, unless the other fact was faster."""
    told = [
        Newcomer(
            Customer(fact.event.personal_org_id, personal_user_id=fact.event.user_id),
            fact.time,
            fact,
        )
        for fact in facts
    ]
    await actions.start_free_in(tx, told)


async def start_for_orgs(tx: Transaction, facts: Sequence[Received[OrgCreated]]) -> None:
    """Give each organisation its Free subscription, unless the other fact was faster."""
    told = [
        Newcomer(
            Customer(
                fact.event.org_id,
                fact.event.name,
                fact.event.owner_id if fact.event.is_personal else None,
            ),
            fact.time,
            fact,
        )
        for fact in facts
    ]
    await actions.start_free_in(tx, told)


HEARD: dict[type[ConsumedEvent], Any] = {
    UserRegistered: start_for_users,
    OrgCreated: start_for_orgs,
}
