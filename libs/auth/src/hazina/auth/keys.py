"""The keys that access tokens are checked with: given, or fetched from identity and kept."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from hazina.problems import Unavailable

logger = logging.getLogger("hazina.auth")

FETCH_TIMEOUT_S = 2
FETCH_FLOOR_S = 5  # between two fetches, however many unknown kids strangers send
MAX_AGE_S = 600  # after which keys are fetched again; the old ones serve meanwhile
KEYS_MAX = 32
PRIVATE = frozenset({"d", "k", "p", "q", "dp", "dq", "qi", "oth"})


class KeySetRefused(ValueError):
    """A key set is not one to trust."""


class Keys(Protocol):
    """Where a verifier finds the key that a token names."""

    async def find(self, kid: str) -> ECKey | None:
        """Give the key, None when there is none; raise `Unavailable` when that cannot be told."""


def read_keys(document: object) -> dict[str, ECKey]:
    """Read a JWK set (RFC 7517), keeping its ES256 signing keys by kid.

    Keys of other kinds are left out, so that identity may add one. A set that holds a private or
    symmetric key, or one kid twice, is refused whole: something is wrong where it came from.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > KEYS_MAX:
        raise KeySetRefused("not a key set")
    found: dict[str, ECKey] = {}
    for jwk in listed:
        if not isinstance(jwk, dict):
            raise KeySetRefused("a key is not an object")
        if PRIVATE & jwk.keys():
            raise KeySetRefused("a key set for verifying holds a private key")
        key = _read_key(jwk)
        if key is None:
            continue
        if jwk["kid"] in found:
            raise KeySetRefused("two keys have one kid")
        found[jwk["kid"]] = key
    return found


def _read_key(jwk: Mapping[str, Any]) -> ECKey | None:
    """Import one key if it is exactly what we sign with, else None."""
    ours = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig"}
    if any(jwk.get(name) != value for name, value in ours.items()):
        return None
    if not isinstance(jwk.get("kid"), str) or not jwk["kid"]:
        return None
    if "key_ops" in jwk and jwk["key_ops"] != ["verify"]:
        return None
    try:
        key = ECKey.import_key(dict(jwk))
        assert isinstance(
            key.public_key, EllipticCurvePublicKey
        )  # computed here: a bad point fails
    except (JoseError, ValueError, TypeError):
        return None
    return key


class StaticKeys:
    """Keys given once: identity's own, and those of tests."""

    def __init__(self, document: object) -> None:
        """Take a JWK set as it stands in JSON."""
        self._keys = read_keys(document)

    async def find(self, kid: str) -> ECKey | None:
        """Give the key named `kid`, if it was among those given."""
        return self._keys.get(kid)


class RemoteKeys:
    """Identity's keys, fetched over HTTP; the last ones serve for as long as identity is away."""

    def __init__(
        self,
        url: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Fetch from `url`, at first when a token is checked."""
        self.url = url
        self._monotonic = monotonic
        self._http = httpx.AsyncClient(timeout=FETCH_TIMEOUT_S, transport=transport)
        self._keys: dict[str, ECKey] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> ECKey | None:
        """Give the key named `kid`, asking identity when it is not known and not asked just now."""
        key = self._keys.get(kid)
        if key is None:
            await self._fetch_soon()
            key = self._keys.get(kid)
            if key is None and self._fetched_at is None:
                raise Unavailable("the keys that tokens are checked with cannot be fetched")
        elif self._age_s() > MAX_AGE_S:
            self._begin_fetch()
        return key

    async def close(self) -> None:
        """Stop fetching and close the connections."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
        await self._http.aclose()

    def _age_s(self) -> float:
        assert self._fetched_at is not None
        return self._monotonic() - self._fetched_at

    async def _fetch_soon(self) -> None:
        """Fetch, or wait for the fetch that runs; do nothing within the floor of the last one."""
        fetching = self._begin_fetch()
        if fetching is not None:
            await asyncio.shield(fetching)

    def _begin_fetch(self) -> asyncio.Task[None] | None:
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        now = self._monotonic()
        if self._tried_at is not None and now - self._tried_at < FETCH_FLOOR_S:
            return None
        self._tried_at = now
        self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            answer = (await self._http.get(self.url)).raise_for_status()
            keys = read_keys(msgspec.json.decode(answer.content))
        except (httpx.HTTPError, msgspec.DecodeError, ValueError) as trouble:
            logger.warning("signing keys not fetched: %r", trouble)
            return
        if keys:  # an empty set is identity's trouble, not a reason to refuse everybody
            self._keys, self._fetched_at = keys, self._monotonic()
