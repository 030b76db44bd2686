"""Secrets sealed twice: each by a key of its own, and that key by the one that we are started with.

AES-256-GCM both times. What a secret belongs to is authenticated with it, so that a sealed key
cannot be moved to another wallet.
"""

import os
from base64 import b64decode
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hazina.problems import Kind, Problem

SCHEME: Final = "envelope-v1"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
WRAPPED_BYTES: Final = KEY_BYTES + 16  # with its tag


class KeyUnavailable(Problem, code="wallet.key_unavailable", kind=Kind.UNAVAILABLE):
    """The wallet's key cannot be used right now."""

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, retry_after_s=60)


@dataclass(frozen=True, slots=True)
class Belongs:
    """What a sealed secret is of; sealed with it."""

    wallet_id: UUID
    chain: str
    address: str


class Envelope:
    """Seals secrets, and opens them for the signer. Without a key it refuses both."""

    def __init__(self, kek: bytes | None, version: int = 1) -> None:
        """Take the key-encryption key, 32 bytes, and the version that is written beside secrets."""
        assert kek is None or len(kek) == KEY_BYTES, "a key-encryption key has 32 bytes"
        self.version = version
        self._kek = kek

    @classmethod
    def of(cls, encoded: str | None, version: int = 1) -> "Envelope":
        """Read the key as it is configured: base64 of 32 bytes; raises ValueError otherwise."""
        kek = None if encoded is None else b64decode(encoded, validate=True)
        if kek is not None and len(kek) != KEY_BYTES:
            raise ValueError("a key-encryption key is the base64 of 32 bytes")
        return cls(kek, version)

    @property
    def ready(self) -> bool:
        """Tell whether there is a key to seal with."""
        return self._kek is not None

    def seal(self, secret: bytes, of: Belongs) -> bytes:
        """Encrypt `secret` so that only this key opens it, and only as `of` says."""
        about = self._about(of, self.version)
        data_key = AESGCM.generate_key(bit_length=256)
        outer, inner = os.urandom(NONCE_BYTES), os.urandom(NONCE_BYTES)
        wrapped = self._cipher().encrypt(outer, data_key, about)
        return outer + wrapped + inner + AESGCM(data_key).encrypt(inner, secret, about)

    def open(self, sealed: bytes, of: Belongs, version: int) -> bytes:
        """Give the secret back; raises KeyUnavailable when it is not ours or was touched."""
        about = self._about(of, version)
        outer, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        wrapped, rest = rest[:WRAPPED_BYTES], rest[WRAPPED_BYTES:]
        try:
            data_key = self._cipher().decrypt(outer, wrapped, about)
            return AESGCM(data_key).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], about)
        except (InvalidTag, ValueError) as refused:
            raise KeyUnavailable from refused

    def _cipher(self) -> AESGCM:
        if self._kek is None:
            raise KeyUnavailable("no key-encryption key is configured")
        return AESGCM(self._kek)

    def _about(self, of: Belongs, version: int) -> bytes:
        return "|".join((str(of.wallet_id), of.chain, of.address, SCHEME, str(version))).encode()
