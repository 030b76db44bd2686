"""What accounts do when identity speaks of users."""

from collections.abc import Sequence
from uuid import UUID

from hazina.outbox import ConsumedEvent, Received
from hazina.pg import Transaction
from ledger.account import actions
from ledger.account.rules import Newcomer, Standing, State


class UserRegistered(ConsumedEvent, type="identity.user.registered.v1"):
    """Somebody signed up."""

    user_id: UUID
    personal_org_id: UUID
    marketplace_role: str
    version: int


class UserStands(ConsumedEvent):
    """A user stands otherwise than before."""

    user_id: UUID
    version: int


class UserSuspended(UserStands, type="identity.user.suspended.v1"):
    """A user may not spend for now."""


class UserReinstated(UserStands, type="identity.user.reinstated.v1"):
    """A user may do everything again."""


class UserBanned(UserStands, type="identity.user.banned.v1"):
    """A user may do nothing any more."""


class UserErased(UserStands, type="identity.user.erased.v1"):
    """A user is gone; only ids are left."""


STATES: dict[str, State] = {
    UserSuspended.__type__: State.SUSPENDED,
    UserReinstated.__type__: State.ACTIVE,
    UserBanned.__type__: State.BANNED,
    UserErased.__type__: State.ERASED,
}


async def open_accounts(tx: Transaction, facts: Sequence[Received[UserRegistered]]) -> None:
    """Open the first accounts of everybody who signed up."""
    newcomers = [
        Newcomer(
            fact.event.user_id,
            fact.event.personal_org_id,
            fact.event.marketplace_role,
            fact.event.version,
            fact.time,
        )
        for fact in facts
    ]
    await actions.welcome(tx, newcomers)


async def follow(tx: Transaction, facts: Sequence[Received[UserStands]]) -> None:
    """Let users' accounts be as frozen as they stand."""
    standings = [
        Standing(fact.event.user_id, STATES[fact.type], fact.event.version, fact.time)
        for fact in facts
    ]
    await actions.follow(tx, standings)
