"""Secrets sealed twice: each by a key of its own, and that key by the one that we are started with.

AES-256-GCM both times. What a secret belongs to is authenticated with it, so that a sealed key
cannot be moved to another wallet.
"""

import os
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
    """Seals secrets, and opens them for the signer."""

    def __init__(self, kek: bytes, version: int = 1) -> None:
        """Take the key-encryption key, 32 bytes, and the version that is written beside secrets."""
        assert len(kek) == KEY_BYTES, "a key-encryption key has 32 bytes"
        self.version = version
        self._wrap = AESGCM(kek)

    def seal(self, secret: bytes, of: Belongs) -> bytes:
        """Encrypt `secret` so that only this key opens it, and only as `of` says."""
        about = self._about(of, self.version)
        data_key = AESGCM.generate_key(bit_length=256)
        outer, inner = os.urandom(NONCE_BYTES), os.urandom(NONCE_BYTES)
        wrapped = self._wrap.encrypt(outer, data_key, about)
        return outer + wrapped + inner + AESGCM(data_key).encrypt(inner, secret, about)

    def open(self, sealed: bytes, of: Belongs, version: int) -> bytes:
        """Give the secret back; raises KeyUnavailable when it is not ours or was touched."""
        about = self._about(of, version)
        outer, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        wrapped, rest = rest[:WRAPPED_BYTES], rest[WRAPPED_BYTES:]
        try:
            data_key = self._wrap.decrypt(outer, wrapped, about)
            return AESGCM(data_key).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], about)
        except (InvalidTag, ValueError) as refused:
            raise KeyUnavailable from refused

    def _about(self, of: Belongs, version: int) -> bytes:
        return "|".join((str(of.wallet_id), of.chain, of.address, SCHEME, str(version))).encode()
