"""What we do when identity tells of users."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from crypto.ports.envelope import Envelope
from crypto.wallet import actions
from crypto.wallet.actions import Told
from crypto.wallet.store import UserState
from hazina.outbox import ConsumedEvent, Received
from hazina.pg import Transaction


class UserRegistered(ConsumedEvent, type="identity.user.registered.v1"):
    """Somebody signed up."""

    user_id: UUID
    version: int
    username: str | None
    display_name: str | None


class ProfileChanged(ConsumedEvent, type="identity.user.profile_changed.v1"):
    """Somebody is called differently now."""

    user_id: UUID
    version: int
    username: str | None
    display_name: str | None


class Wallets:
    """Keeps wallets as identity tells of users; `envelope` seals the keys of new ones."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    async def open(self, tx: Transaction, facts: Sequence[Received[UserRegistered]]) -> None:
        """Give everybody who signed up a wallet."""
        await actions.open_wallets_in(tx, [_told(fact) for fact in facts], self._envelope)

    async def follow(self, tx: Transaction, facts: Sequence[Received[ProfileChanged]]) -> None:
        """Let handles follow usernames."""
        await actions.follow_profiles_in(tx, [_told(fact) for fact in facts])

    def heard(self) -> dict[type[ConsumedEvent], Any]:
        """Name what is heard, and who does something about it."""
        return {UserRegistered: self.open, ProfileChanged: self.follow}


def _told(fact: Received[UserRegistered] | Received[ProfileChanged]) -> Told:
    said = fact.event
    return Told(UserState(said.user_id, said.username, said.display_name, said.version), fact)
