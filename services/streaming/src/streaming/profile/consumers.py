"""What we do when identity speaks of people, and billing of what may be used."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from hazina.outbox import ConsumedEvent, Received
from hazina.pg import Transaction
from streaming.profile import actions

Handler = Callable[[Transaction, Sequence[Received[Any]]], Awaitable[None]]


class UserRegistered(ConsumedEvent, type="identity.user.registered.v1"):
    """Somebody signed up."""

    user_id: UUID
    version: int
    username: str | None = None
    display_name: str


class ProfileChanged(ConsumedEvent, type="identity.user.profile_changed.v1"):
    """Somebody changed who they are to others."""

    user_id: UUID
    version: int
    username: str | None = None
    display_name: str
    avatar_url: str | None = None


class EntitlementsChanged(ConsumedEvent, type="billing.entitlements.changed.v1"):
    """An organisation may use other things than before."""

    org_id: UUID
    version: int
    limits: dict[str, Any]
    features: Any = None


async def keep_people(
    tx: Transaction, facts: Sequence[Received[UserRegistered | ProfileChanged]]
) -> None:
    """Keep a profile for each, as new as what was told."""
    await actions.hear_people(
        tx,
        (
            {
                "id": said.user_id,
                "version": said.version,
                "username": said.username,
                "display_name": said.display_name,
                "avatar_url": getattr(said, "avatar_url", None),
            }
            for said in (fact.event for fact in facts)
        ),
    )


async def keep_limits(tx: Transaction, facts: Sequence[Received[EntitlementsChanged]]) -> None:
    """Keep the newest snapshot of each organisation."""
    await actions.hear_limits(tx, (fact.event.model_dump() for fact in facts))


HEARD_OF_PEOPLE: dict[type[ConsumedEvent], Handler] = {
    UserRegistered: keep_people,
    ProfileChanged: keep_people,
}
HEARD_OF_LIMITS: dict[type[ConsumedEvent], Handler] = {EntitlementsChanged: keep_limits}
