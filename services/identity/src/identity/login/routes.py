"""Signing in over HTTP."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import StringConstraints

from hazina.chassis import Db, Now, Wire, refuses
from hazina.idempotency import MayKey
from identity.factor.rules import ChallengeOver, ChallengeRead, ChallengeTooSoon, ChallengeWrong
from identity.hasher import Busy
from identity.login import actions
from identity.login.rules import CredentialsInvalid
from identity.session.rules import AccountBanned, AccountSuspended, Origin, TokenSet
from identity.trust import Trusted

router = APIRouter(prefix="/auth", tags=["login"])


USER_AGENT_MAX = 200  # characters kept of it
DeviceToken = Annotated[str, StringConstraints(max_length=200)]


class LoginCreate(Wire):
    """Who wants to sign in: an address or a username, and the password."""

    identifier: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    password: Annotated[str, StringConstraints(max_length=1024)]
    device_token: DeviceToken | None = None


class AnswerCreate(Wire):
    """The code that was sent."""

    method: Literal["code"]
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
    device_token: DeviceToken | None = None


def _origin(request: Request, device_token: str | None) -> Origin:
    agent = request.headers.get("user-agent", "")
    shown = "".join(filter(str.isprintable, agent))[:USER_AGENT_MAX]
    return Origin(request.client.host if request.client else None, shown, device_token)


@router.post("/login", responses=refuses(CredentialsInvalid, AccountSuspended, AccountBanned, Busy))
async def post_login(
    ask: LoginCreate, *, request: Request, db: Db, trust: Trusted, now: Now, attempt: MayKey
) -> TokenSet | ChallengeRead:
    """Sign in with a password."""
    return await actions.log_in(
        db,
        trust,
        identifier=ask.identifier,
        password=ask.password,
        origin=_origin(request, ask.device_token),
        attempt=attempt,
        now=now,
    )


@router.post(
    "/challenges/{id}/answer",
    responses=refuses(ChallengeOver, ChallengeWrong, AccountSuspended, AccountBanned),
)
async def post_answer(
    id: UUID,
    ask: AnswerCreate,
    *,
    request: Request,
    db: Db,
    trust: Trusted,
    now: Now,
    attempt: MayKey,
) -> TokenSet:
    """Answer a challenge with the code that was sent; the right one signs in, once."""
    origin = _origin(request, ask.device_token)
    return await actions.answer(db, trust, id, ask.code, origin=origin, attempt=attempt, now=now)


@router.post(
    "/challenges/{id}/resend",
    status_code=202,
    responses=refuses(ChallengeOver, ChallengeTooSoon),
)
async def post_resend(id: UUID, db: Db, trust: Trusted, now: Now, attempt: MayKey) -> ChallengeRead:
    """Send another code; the one before it stops working."""
    return await actions.resend(db, trust, id, attempt, now=now)
