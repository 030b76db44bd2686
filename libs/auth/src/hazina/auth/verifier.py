"""Turning an access token into a Caller, quickly when it was seen before."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from hazina.auth import claims as claiming
from hazina.auth import compact
from hazina.auth.caller import Caller
from hazina.auth.keys import Keys, RemoteKeys
from hazina.auth.refusals import TokenInvalid
from hazina.auth.revocations import Revocations

CACHE_SIZE = 10_000  # tokens, about 10 MB
TYPE = "at+jwt"  # RFC 9068; an ID token or any other JWT of ours is no access token


@dataclass(frozen=True, slots=True)
class Seen:
    """A token whose signature was checked, for as long as it lives."""

    claims: claiming.Claims
    kid: str
    caller: Caller


class Verifier:
    """Checks access tokens: signature once, expiry and revocation every time."""

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        keys: Keys,
        clock: Callable[[], datetime],
        revocations: Revocations | None = None,
    ) -> None:
        """Accept tokens of `issuer` for `audience`; `revocations` is what has been taken back."""
        self.issuer = issuer
        self.audience = audience
        self.keys = keys
        self.revocations = revocations
        self._clock = clock
        self._seen: OrderedDict[bytes, Seen] = OrderedDict()

    async def verify(self, token: str) -> Caller:
        """Tell who calls; raises TokenInvalid, SessionRevoked, TokenStale, in that order.

        Raises `Unavailable` when the keys were never fetched and identity does not answer.
        """
        # Kept by hash, so that a dump of the process holds no token that still works.
        name = sha256(token.encode(errors="replace")).digest()
        seen = self._seen.get(name)
        if seen is None:
            seen = await self._check(token)
            self._remember(name, seen)
        claiming.require_current(seen.claims, self._clock())
        if self.revocations is not None:
            self.revocations.require_standing(seen.caller, seen.kid)
        return seen.caller

    async def close(self) -> None:
        """Close the connections that keys are fetched over."""
        if isinstance(self.keys, RemoteKeys):
            await self.keys.close()

    async def _check(self, token: str) -> Seen:
        header, payload = await compact.verify(token, self.keys)
        if header.typ != TYPE:
            raise TokenInvalid
        read = claiming.read(payload, issuer=self.issuer, audience=self.audience)
        claiming.require_current(read, self._clock())
        return Seen(read, header.kid, claiming.caller_of(read))

    def _remember(self, name: bytes, seen: Seen) -> None:
        self._seen[name] = seen
        if len(self._seen) > CACHE_SIZE:
            self._seen.popitem(
                last=False
            )  # the oldest: with one lifetime for all, the first to die
