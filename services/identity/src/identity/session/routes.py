"""Sessions over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import StringConstraints

from hazina.auth import Caller, Signed
from hazina.chassis import Db, Now, Page, Paged, Wire, refuses
from identity.organisation.rules import NotMember
from identity.session import actions, store
from identity.session.rules import (
    AccountBanned,
    AccountSuspended,
    Refresh,
    RefreshInvalid,
    RefreshReused,
    SessionExpired,
    SessionUnknown,
    TokenSet,
)
from identity.trust import Trusted

router = APIRouter(tags=["session"])


class RefreshCreate(Wire):
    """The refresh token that was last given out."""

    refresh_token: Annotated[str, StringConstraints(max_length=200)]


class OrgSwitch(Wire):
    """Which organisation the session is to act in."""

    org_id: UUID


class SessionRead(Wire):
    """A sign-in that is still good."""

    id: UUID
    device_id: UUID | None
    org_id: UUID
    aal: int
    amr: list[str]
    auth_at: datetime
    ip_address: str | None
    location: str | None
    expires_at: datetime
    created_at: datetime
    current: bool


def _session_id(caller: Caller) -> UUID:
    assert caller.session_id is not None, "a user's token names its session"
    return UUID(caller.session_id)


@router.post(
    "/auth/refresh",
    responses=refuses(
        RefreshInvalid, RefreshReused, SessionExpired, AccountSuspended, AccountBanned
    ),
)
async def post_refresh(
    ask: RefreshCreate, db: Db, trust: Trusted, now: Now, response: Response
) -> TokenSet:
    """Give fresh tokens. A lost answer may be asked for again; an old token ends the session."""
    made, meaning = await actions.refresh(db, trust, ask.refresh_token, now=now)
    if meaning is not Refresh.NEXT:
        response.headers["refresh-reuse"] = meaning.value
    return made


@router.post("/auth/logout", status_code=204)
async def post_logout(caller: Signed, db: Db, now: Now) -> None:
    """End the session that asks."""
    await actions.sign_out(db, caller.require_user(), _session_id(caller), now=now)


@router.get("/me/sessions")
async def get_sessions(caller: Signed, db: Db, now: Now, paging: Paged) -> Page[SessionRead]:
    """List where the caller is signed in, the newest first."""
    user_id, current = caller.require_user(), _session_id(caller)
    after = paging.after(UUID)
    async with db.reading(caller.actor) as tx:
        rows = await store.list_sessions(
            tx, user_id, now=now, after=after[0] if after else None, rows=paging.fetch
        )
    shown = [SessionRead(**row._asdict(), current=row.id == current) for row in rows]
    return paging.page(shown, key=lambda row: (row.id,), shape=SessionRead)


@router.delete("/me/sessions", status_code=204)
async def delete_sessions(caller: Signed, db: Db, now: Now) -> None:
    """End every other session of the caller."""
    await actions.end_others(db, caller.require_user(), _session_id(caller), now=now)


@router.delete("/me/sessions/{id}", status_code=204, responses=refuses(SessionUnknown))
async def delete_session(id: UUID, caller: Signed, db: Db, now: Now) -> None:
    """End one session of the caller."""
    await actions.end_one(db, caller.require_user(), id, now=now)


@router.post(
    "/me/sessions/current/org", responses=refuses(NotMember, SessionExpired, SessionUnknown)
)
async def post_org(ask: OrgSwitch, caller: Signed, db: Db, trust: Trusted, now: Now) -> TokenSet:
    """Act in another organisation from now on."""
    caller.require_user()
    return await actions.switch_org(
        db, trust, session_id=_session_id(caller), org_id=ask.org_id, now=now
    )
