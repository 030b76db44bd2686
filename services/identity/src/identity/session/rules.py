"""How a session is refreshed, and when it ends. Pure.

The refresh token counts: `hzr_` and base64url of version 1, session id, counter (uvarint),
HMAC-SHA256 by the session's own key cut to 128 bits, and the first 32 bits of a SHA-256 over all
of that. No token is stored, only how far the session has counted.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Literal
from uuid import UUID

from hazina.problems import Kind, Problem
from identity.organisation.rules import OrgType, Role

PREFIX = "hzr_"
VERSION = 1
ID_BYTES, MAC_BYTES, CHECKSUM_BYTES = 16, 16, 4
COUNTER_BYTES_MAX = 9  # 63 bits, seven a byte
TOKEN_LENGTH_MAX = 128
DEVICE_PREFIX = "hzd_"
DEVICE_SECRET_BYTES = 32

LIVES = timedelta(days=30)
IDLE = timedelta(days=14)
STAFF_LIVES = timedelta(hours=24)
STAFF_IDLE = timedelta(hours=1)
PER_USER_MAX = 50
CONCURRENT = timedelta(seconds=10)  # tabs that wake together
LOST_WITHIN = timedelta(hours=24)
LOST_MAX = 5  # a thief and an owner taking turns would otherwise go unseen for ever
EARLY_S = 15  # access tokens end up to so much earlier, so that refreshes do not come in herds


class RefreshInvalid(Problem, code="auth.refresh_invalid", kind=Kind.UNAUTHENTICATED):
    """That is not a refresh token of ours."""


class RefreshReused(Problem, code="auth.refresh_reused", kind=Kind.UNAUTHENTICATED):
    """An old refresh token was used again, so the session was ended; sign in again."""


class SessionExpired(Problem, code="auth.session_expired", kind=Kind.UNAUTHENTICATED):
    """The session is over; sign in again."""


class SessionUnknown(Problem, code="session.unknown", kind=Kind.UNKNOWN):
    """You have no such session."""


class AccountSuspended(Problem, code="account.suspended", kind=Kind.FORBIDDEN):
    """This account is suspended."""


class AccountBanned(Problem, code="account.banned", kind=Kind.FORBIDDEN):
    """This account is banned."""


@dataclass(frozen=True, slots=True)
class UserBrief:
    """So much of a user as comes with their tokens."""

    id: UUID
    username: str | None
    display_name: str
    account_type: Literal["user", "admin", "super_admin"]
    marketplace_role: str
    status: str


@dataclass(frozen=True, slots=True)
class OrgBrief:
    """Where the session acts."""

    id: UUID
    slug: str
    type: OrgType
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSet:
    """What a sign-in or a refresh gives."""

    access_token: str
    expires_in: int  # seconds
    refresh_token: str | None
    session_id: UUID
    user: UserBrief
    org: OrgBrief
    device_token: str | None = None
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  a word of RFC 6750
    status: Literal["signed_in"] = "signed_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A sign-in as its rows say."""

    id: UUID
    user_id: UUID
    org_id: UUID
    aal: int
    amr: tuple[str, ...]
    auth_at: datetime
    expires_at: datetime
    device_id: UUID | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """How far a session's refresh token has counted."""

    session_id: UUID
    value: int
    last_refreshed_at: datetime
    lost_answers: int
    lost_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a sign-in comes from, and what the device shows to be known again."""

    ip_address: str | None = None
    user_agent: str = ""
    device_token: str | None = None


@dataclass(frozen=True, slots=True)
class Presented:
    """A refresh token that is well formed; whether it is ours its MAC says."""

    session_id: UUID
    counter: int
    signed: bytes
    mac: bytes


class Refresh(Enum):
    """What a presented refresh token means."""

    NEXT = "next"  # the good one: count on
    LOST_ANSWER = "lost_answer"  # its answer never arrived: give the same answer again
    CONCURRENT = "concurrent"  # another tab was a moment faster: give it the same
    THEFT = "theft"  # used long after its successor was


def _uvarint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:  # noqa: PLR2004  seven bits a byte, the eighth says that more follow
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def _read_uvarint(raw: bytes) -> tuple[int, int] | None:
    """Read the one shortest way to write a number; give it and its length."""
    value = 0
    for place, byte in enumerate(raw[:COUNTER_BYTES_MAX]):
        value |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return None if byte == 0 and place else (value, place + 1)
    return None


def _mac(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, signed, hashlib.sha256)[:MAC_BYTES]


def write_token(session_id: UUID, counter: int, key: bytes) -> str:
    """Write the refresh token that stands for `counter`."""
    signed = bytes((VERSION,)) + session_id.bytes + _uvarint(counter)
    body = signed + _mac(key, signed)
    checksum = hashlib.sha256(body).digest()[:CHECKSUM_BYTES]
    return PREFIX + base64.urlsafe_b64encode(body + checksum).rstrip(b"=").decode()


def read_token(token: str) -> Presented:
    """Read a refresh token without the database; garbage is refused before any of it is asked."""
    text = token.removeprefix(PREFIX)
    if text == token or len(token) > TOKEN_LENGTH_MAX:
        raise RefreshInvalid
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as bad:
        raise RefreshInvalid from bad
    body, checksum = raw[:-CHECKSUM_BYTES], raw[-CHECKSUM_BYTES:]
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise RefreshInvalid
    if hashlib.sha256(body).digest()[:CHECKSUM_BYTES] != checksum or body[:1] != b"\x01":
        raise RefreshInvalid
    signed, mac = body[:-MAC_BYTES], body[-MAC_BYTES:]
    found = _read_uvarint(signed[1 + ID_BYTES :])
    if found is None or len(signed) != 1 + ID_BYTES + found[1]:
        raise RefreshInvalid
    return Presented(UUID(bytes=signed[1 : 1 + ID_BYTES]), found[0], signed, mac)


def write_device_token(device_id: UUID, secret: bytes) -> str:
    """Write what a device keeps to be known again."""
    raw = device_id.bytes + secret
    return DEVICE_PREFIX + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def read_device_token(token: str) -> tuple[UUID, bytes] | None:
    """Read what a device showed; None for nonsense, which is a device that nobody knows."""
    text = token.removeprefix(DEVICE_PREFIX)
    if text == token or len(token) > TOKEN_LENGTH_MAX:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != ID_BYTES + DEVICE_SECRET_BYTES:
        return None
    return UUID(bytes=raw[:ID_BYTES]), raw[ID_BYTES:]


def require_ours(presented: Presented, key: bytes) -> None:
    """Refuse a token that the session's key did not sign."""
    if not hmac.compare_digest(_mac(key, presented.signed), presented.mac):
        raise RefreshInvalid


def require_alive(session: Session, counter: Counter, now: datetime) -> None:
    """Refuse a session that ended, or ran out."""
    if session.ended_at is not None or now >= min(session.expires_at, counter.expires_at):
        raise SessionExpired


def require_welcome(user: UserBrief) -> None:
    """Refuse who may not sign in."""
    match user.status:
        case "suspended":
            raise AccountSuspended
        case "banned":
            raise AccountBanned
        case "erased" | "unverified":
            raise SessionExpired


def refresh(counter: Counter, presented: int, now: datetime) -> Refresh:
    """Judge a token of ours by how far behind the counter it is; raises RefreshInvalid."""
    behind = counter.value - presented
    if behind < 0:
        raise RefreshInvalid
    if behind == 0:
        return Refresh.NEXT
    if now - counter.last_refreshed_at < CONCURRENT:
        return Refresh.CONCURRENT
    if behind == 1 and lost(counter, now)[0] <= LOST_MAX:
        return Refresh.LOST_ANSWER
    return Refresh.THEFT


def lost(counter: Counter, now: datetime) -> tuple[int, datetime]:
    """Count one more lost answer within a day of the first; give how many, and when that was."""
    if counter.lost_at is None or now - counter.lost_at >= LOST_WITHIN:
        return 1, now
    return counter.lost_answers + 1, counter.lost_at


def lives(account_type: str) -> timedelta:
    """Say how long a session lasts at most."""
    return LIVES if account_type == "user" else STAFF_LIVES


def idles(account_type: str) -> timedelta:
    """Say how long a session lasts without a refresh."""
    return IDLE if account_type == "user" else STAFF_IDLE
