"""What can be done with signing keys: rotate them, publish them, sign with the active one."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
from joserfc import jws
from joserfc.jwk import ECKey

from hazina import auth, ids, outbox
from hazina.auth import StaticKeys
from hazina.pg import SERVICE, Database
from hazina.problems import Unavailable
from identity.key import rules, store
from identity.key.events import SigningKeyRevoked
from identity.key.rules import SigningKey, State
from identity.vault import Vault

logger = logging.getLogger("identity.key")

RELOAD_AFTER = timedelta(seconds=30)  # a rotation made by another process is seen by then
ALGORITHM = "ES256"


async def rotate(db: Database, vault: Vault, now: datetime) -> int:
    """Move keys on when their time has come, making new ones as needed; give how many moved."""
    async with db.transaction(SERVICE) as tx:
        moves, needed = rules.rotate(await store.lock_keys(tx), now)
        for move in moves:
            if move.to is None:
                await store.remove_key(tx, move.kid)
            else:
                await store.set_state(tx, move.kid, move.to, now)
        for state in needed:
            await store.add_key(tx, make(vault, state, now))
    return len(moves) + len(needed)


async def revoke(db: Database, vault: Vault, kid: str, now: datetime) -> None:
    """Take a key back at once, everywhere; another signs from now on. Raises KeyUnknown."""
    async with db.transaction(SERVICE) as tx:
        keys = await store.lock_keys(tx)

        rules.require_known(keys, kid)

        await store.remove_key(tx, kid)
        await auth.revoke_keys(tx, [kid])
        await outbox.publish(tx, SigningKeyRevoked(kid=kid))
    await rotate(db, vault, now)


def make(vault: Vault, state: State, now: datetime) -> SigningKey:
    """Make a fresh P-256 key pair."""
    kid = str(ids.new())
    pair = ECKey.generate_key("P-256", {"kid": kid, "alg": ALGORITHM, "use": "sig"})
    secret = json.dumps(pair.as_dict(private=True)).encode()
    public = {name: str(value) for name, value in pair.as_dict(private=False).items()}
    return SigningKey(kid, vault.seal(secret, place=_place(kid)), public, state, now)


def _place(kid: str) -> str:
    return f"signing_keys:{kid}"


class Ring:
    """The signing keys as one process knows them; with the database down it goes on with those."""

    def __init__(self, db: Database, vault: Vault, clock: Callable[[], datetime]) -> None:
        """Read from `db`, at first when a key is wanted."""
        self._db = db
        self._vault = vault
        self._clock = clock
        self._loaded_at: datetime | None = None
        self._loading = asyncio.Lock()
        self._signer: ECKey | None = None
        self._verifiers = StaticKeys({"keys": []})
        self.document = b'{"keys":[]}'  # the JWK set as it is published
        self.tag = ""  # its entity tag

    async def refresh(self) -> None:
        """Read the keys again when they were read a while ago; trouble keeps the ones known."""
        if self._is_fresh():
            return
        async with self._loading:
            if self._is_fresh():
                return
            try:
                await self._load(self._clock())
            except Unavailable:
                if self._signer is None:
                    raise
                logger.warning("signing keys not read again")

    def _is_fresh(self) -> bool:
        return self._loaded_at is not None and self._clock() - self._loaded_at < RELOAD_AFTER

    async def _load(self, now: datetime) -> None:
        """Read the keys, making the first ones if there are none."""
        async with self._db.reading(SERVICE) as tx:
            keys = await store.list_keys(tx)
        if not any(key.state == "active" for key in keys):
            await rotate(self._db, self._vault, now)
            async with self._db.reading(SERVICE) as tx:
                keys = await store.list_keys(tx)
        active = next(key for key in keys if key.state == "active")
        secret = self._vault.open(active.private_enc, place=_place(active.kid))
        published = rules.published(keys)
        self._verifiers = StaticKeys(published)
        self.document = msgspec.json.encode(published)
        self.tag = f'"{sha256(self.document).hexdigest()[:32]}"'
        self._signer = ECKey.import_key(json.loads(secret))
        self._loaded_at = now

    async def find(self, kid: str) -> ECKey | None:
        """Give the public key named `kid`: identity checks tokens with its own keys."""
        await self.refresh()
        return await self._verifiers.find(kid)

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign an access token with the active key; `refresh` was called before."""
        assert self._signer is not None, "refresh the ring before signing"
        header = {"alg": ALGORITHM, "kid": self._signer.kid, "typ": "at+jwt"}
        body = msgspec.json.encode(claims)
        return jws.serialize_compact(header, body, self._signer, algorithms=[ALGORITHM])
