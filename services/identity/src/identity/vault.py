"""What is kept so that a stolen database tells nothing: sealed values and keyed hashes."""

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

VERSION = b"\x01"
NONCE_BYTES = 12


class SealBroken(Exception):
    """What was read was not sealed by us, or not for this place."""


class Vault:
    """Seals with AES-256-GCM and hashes with HMAC-SHA256, each purpose under its own key."""

    def __init__(self, kek: bytes) -> None:
        """Derive every key from `kek` (32 bytes)."""
        assert len(kek) == SHA256.digest_size
        self._kek = kek
        self._aead = AESGCM(self._derive("seal"))

    def _derive(self, purpose: str) -> bytes:
        info = b"hazina.identity." + purpose.encode()
        return HKDFExpand(algorithm=SHA256(), length=32, info=info).derive(self._kek)

    def seal(self, secret: bytes, *, place: str) -> bytes:
        """Encrypt `secret`; it opens only for the same `place`, say `signing_keys:<kid>`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return VERSION + nonce + self._aead.encrypt(nonce, secret, place.encode())

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """Decrypt what was sealed for `place`, or raise `SealBroken`."""
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        if sealed[:1] != VERSION or len(nonce) != NONCE_BYTES:
            raise SealBroken(place)
        try:
            return self._aead.decrypt(nonce, body, place.encode())
        except InvalidTag as bad:
            raise SealBroken(place) from bad

    def mark(self, purpose: str, *parts: object) -> bytes:
        """Hash `parts` so that they can be recognised and never read; `purpose` picks the key."""
        said = "\x1f".join(map(str, parts)).encode()
        return hmac.digest(self._derive(purpose), said, hashlib.sha256)
