"""What signing in rests on, given to routes as one thing."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from hazina.idempotency import Attempt
from identity.hasher import Hasher
from identity.key.actions import Ring
from identity.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The vault, the hasher, the signing keys, and what tokens say of who signed them."""

    vault: Vault
    hasher: Hasher
    ring: Ring
    issuer: str
    audience: str
    access_token_s: int
    app_url: str

    def conceal(self, attempt: Attempt, *secrets: str) -> None:
        """Keep the named fields of a request out of reach: attempts are kept as fast hashes.

        A fast hash of a password is a gift to who steals the database; one under our key is not.
        """
        marked = {
            name: self.vault.mark("attempt", attempt.request[name]).hex()
            for name in secrets
            if name in attempt.request
        }
        attempt.request = {**attempt.request, **marked}


def _trust(request: Request) -> Trust:
    trust = request.app.state.trust
    assert isinstance(trust, Trust)
    return trust


Trusted = Annotated[Trust, Depends(_trust)]
