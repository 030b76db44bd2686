"""What an access token claims, with every claim checked before it becomes a Caller."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from hazina.auth.caller import Caller
from hazina.auth.refusals import TokenInvalid

LEEWAY_S = 5  # how far the clocks of two machines may be apart
LIFETIME_MAX_S = 3600  # no token of ours lives longer, whoever signed it

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Instant = Annotated[int, msgspec.Meta(ge=0, le=2**40)]
SERVICE_NAME = re.compile(r"svc:([a-z][a-z0-9_-]{0,62})", re.ASCII)


class Org(msgspec.Struct, frozen=True):
    """The organisation that a token acts in, and the caller's place in it."""

    id: UUID
    type: Literal["personal", "business", "family", "education", "other"]
    role: Literal["owner", "member", "viewer"]
    mv: Annotated[int, msgspec.Meta(ge=1)]


class Act(msgspec.Struct, frozen=True):
    """Who really acts (RFC 8693): the member of staff, and the impersonation's id."""

    sub: UUID
    id: UUID


class Claims(msgspec.Struct, frozen=True):
    """A token's payload, before anything of it is believed."""

    iss: str
    aud: str
    sub: Text
    exp: Instant
    iat: Instant
    jti: Text
    sid: UUID | None = None
    aal: Literal[1, 2] = 1
    amr: Annotated[tuple[Text, ...], msgspec.Meta(max_length=8)] = ()
    auth_time: Instant | None = None
    prole: Literal["user", "admin", "super_admin"] = "user"
    org: Org | None = None
    act: Act | None = None
    scope: Annotated[str, msgspec.Meta(max_length=1024)] = ""


def read(payload: bytes, *, issuer: str, audience: str) -> Claims:
    """Decode a payload meant for us, or raise `TokenInvalid`."""
    try:
        claims = msgspec.json.decode(payload, type=Claims)
    except (msgspec.DecodeError, UnicodeDecodeError) as bad:
        raise TokenInvalid from bad
    if claims.iss != issuer or claims.aud != audience:
        raise TokenInvalid
    return claims


def require_current(claims: Claims, now: datetime) -> None:
    """Refuse a token before its time, after it, or made to live longer than ours do."""
    at = now.timestamp()
    lifetime = claims.exp - claims.iat
    if not 0 < lifetime <= LIFETIME_MAX_S:
        raise TokenInvalid
    if not claims.iat - LEEWAY_S <= at < claims.exp + LEEWAY_S:
        raise TokenInvalid


def caller_of(claims: Claims) -> Caller:
    """Say who the token is about: a user with a session and an organisation, or a service."""
    service = SERVICE_NAME.fullmatch(claims.sub)
    if service is not None:
        if claims.sid is not None or claims.org is not None or claims.act is not None:
            raise TokenInvalid
        return Caller(service=service[1], scopes=frozenset(claims.scope.split()))
    if claims.sid is None or claims.org is None or claims.auth_time is None:
        raise TokenInvalid
    try:
        user_id = UUID(claims.sub)
    except ValueError as bad:
        raise TokenInvalid from bad
    return Caller(
        user_id=user_id,
        session_id=str(claims.sid),
        org_id=claims.org.id,
        org_type=claims.org.type,
        org_role=claims.org.role,
        mv=claims.org.mv,
        platform_role=claims.prole,
        aal=claims.aal,
        amr=claims.amr,
        auth_time=datetime.fromtimestamp(claims.auth_time, UTC),
        impersonator=claims.act.sub if claims.act else None,
    )
