"""A compact JWS (RFC 7515), read more strictly than the standard's readers do."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Literal

import msgspec
from joserfc import jws
from joserfc.errors import JoseError

from hazina.auth.keys import Keys
from hazina.auth.refusals import TokenInvalid

TOKEN_LENGTH_MAX = 4096
# Three parts of base64url without padding; an ES256 signature is 64 bytes, so 86 characters.
SHAPE = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86})", re.ASCII)


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The only header a token of ours may have: no jwk, jku, x5c, crit, zip or b64."""

    alg: Literal["ES256"]
    kid: str
    typ: str = ""


async def verify(token: str, keys: Keys) -> tuple[Header, bytes]:
    """Check the signature and give header and payload, or raise `TokenInvalid`."""
    parts = SHAPE.fullmatch(token) if len(token) <= TOKEN_LENGTH_MAX else None
    if parts is None:
        raise TokenInvalid
    raw_header, payload, _ = (_decode(part) for part in parts.groups())
    try:
        header = msgspec.json.decode(raw_header, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as bad:
        raise TokenInvalid from bad
    key = await keys.find(header.kid)
    if key is None:
        raise TokenInvalid
    try:
        jws.deserialize_compact(token, key, algorithms=["ES256"])
    except (JoseError, ValueError) as bad:
        raise TokenInvalid from bad
    return header, payload


def _decode(part: str) -> bytes:
    """Decode base64url, refusing any text that is not the one encoding of its bytes."""
    try:
        raw = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as bad:
        raise TokenInvalid from bad
    if urlsafe_b64encode(raw).rstrip(b"=") != part.encode():
        raise TokenInvalid
    return raw
