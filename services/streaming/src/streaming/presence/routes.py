"""Presence over HTTP, for those who cannot hold a socket, and for media servers in bulk."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from hazina.auth import Caller, Forbidden, Signed
from hazina.chassis import Now, Wire, refuses
from hazina.problems import Kind, Problem
from streaming.box.rules import BoxClosed, BoxUnknown
from streaming.presence import rules
from streaming.presence.actions import Presence
from streaming.presence.actions.presence import MEMBERS_TOLD_MAX
from streaming.presence.rules import Session
from streaming.profile.rules import LimitReached, UserSuspended

router = APIRouter(prefix="/streaming/v1", tags=["presence"])

AGE_MS_MAX = 30_000
BEATS_MAX = 1_000
EVERYBODYS_BEATS = "streaming:presence"  # the scope of a service that beats for many


class TooManyToList(Problem, code="presence.too_many", kind=Kind.CONFLICT):
    """More people watch than are listed; ask for the numbers."""


class JoinCreate(Wire):
    """Nothing needs to be said to watch."""


class JoinedRead(Wire):
    """A viewing, and how to keep it up."""

    session_id: UUID
    box_id: UUID
    generation: int
    heartbeat_interval_s: int
    stale_after_s: int
    is_published: bool
    publish_version: int
    viewer_count: int


class HeartbeatRead(Wire):
    """The viewing as it stands."""

    session_id: UUID
    generation: int
    is_published: bool
    publish_version: int
    server_time: datetime


class Beat(Wire):
    """A viewing that was heard, and how long ago."""

    session_id: UUID
    age_ms: Annotated[int, Field(ge=0, le=AGE_MS_MAX)] = 0


class Beats(Wire):
    """Heartbeats of many viewings."""

    beats: Annotated[list[Beat], Field(min_length=1, max_length=BEATS_MAX)]


class BeatsRead(Wire):
    """How many were taken, and which viewings are over."""

    accepted: int
    gone: list[UUID]


class PresentRead(Wire):
    """Somebody who watches."""

    viewer_id: UUID
    display_name: str | None
    sessions: int
    joined_at: datetime


class PresenceRead(Wire):
    """Who watches a box."""

    data: list[PresentRead]


class StatsRead(Wire):
    """How many watch a box."""

    viewers: int
    sessions: int
    suspect: int
    is_published: bool
    publish_version: int
    as_of: datetime


@router.post(
    "/boxes/{box_id}/viewers",
    status_code=201,
    responses=refuses(
        BoxUnknown,
        UserSuspended,
        rules.ViewerBanned,
        rules.StreamNotLive,
        BoxClosed,
        rules.OwnBox,
        LimitReached,
        rules.TooManySessions,
    ),
)
async def post_viewer(
    box_id: UUID,
    ask: JoinCreate,  # noqa: ARG001  its shape is all it has to say
    caller: Signed,
    request: Request,
) -> JoinedRead:
    """Begin to watch a box; the first viewer's answer comes after it is published."""
    presence: Presence = request.app.state.presence
    settings = request.app.state.settings
    _, joined = await presence.join(caller, box_id)
    return JoinedRead(
        **asdict(joined),
        heartbeat_interval_s=int(settings.ping_every_s),
        stale_after_s=int(settings.stale_after_s),
    )


@router.post("/viewers/{session_id}/heartbeat", responses=refuses(rules.SessionGone))
async def post_heartbeat(
    session_id: UUID, caller: Signed, now: Now, request: Request
) -> HeartbeatRead:
    """Say that one is still there; asked at least every `heartbeat_interval_s`."""
    presence: Presence = request.app.state.presence
    session = presence.find(session_id, caller.require_user())
    presence.beat(session)
    facts = session.box.facts
    return HeartbeatRead(
        session_id=session.id,
        generation=session.generation,
        is_published=facts.is_published,
        publish_version=facts.publish_version,
        server_time=now,
    )


@router.post("/viewers/{session_id}/leave", status_code=204)
async def post_leave(session_id: UUID, caller: Signed, request: Request) -> Response:
    """Stop watching; nothing happens when the viewing is over already."""
    presence: Presence = request.app.state.presence
    session = presence.audience.sessions.get(session_id)
    if session is not None and session.viewer_id == caller.user_id:
        presence.leave(session)
    return Response(status_code=204)


@router.post("/heartbeats", responses=refuses(Forbidden))
async def post_heartbeats(ask: Beats, caller: Signed, request: Request) -> BeatsRead:
    """Say that viewings are still there: one's own, or as an allowed service anybody's."""
    presence: Presence = request.app.state.presence
    if caller.service is not None:
        caller.require_scope(EVERYBODYS_BEATS)
    gone: list[UUID] = []
    for beat in ask.beats:
        session = presence.audience.sessions.get(beat.session_id)
        if session is None or not _may_beat(session, caller):
            gone.append(beat.session_id)
        else:
            presence.beat(session, beat.age_ms / 1000)
    return BeatsRead(accepted=len(ask.beats) - len(gone), gone=gone)


@router.get("/boxes/{box_id}/presence", responses=refuses(BoxUnknown, TooManyToList))
async def get_presence(box_id: UUID, caller: Signed, request: Request) -> PresenceRead:
    """List who watches a box, in the order in which they came; up to a hundred people."""
    presence: Presence = request.app.state.presence
    box = await presence.read_box(caller, box_id)
    viewers = presence.count(box).viewers
    if viewers > MEMBERS_TOLD_MAX:
        raise TooManyToList(viewers=viewers)
    members = presence.members(box_id)
    names = await presence.names(caller, [one.viewer_id for one in members])
    return PresenceRead(
        data=[PresentRead(**asdict(one), display_name=names.get(one.viewer_id)) for one in members]
    )


@router.get("/boxes/{box_id}/presence/stats", responses=refuses(BoxUnknown))
async def get_presence_stats(box_id: UUID, caller: Signed, now: Now, request: Request) -> StatsRead:
    """Count who watches a box."""
    presence: Presence = request.app.state.presence
    counted = presence.count(await presence.read_box(caller, box_id))
    return StatsRead(**asdict(counted), as_of=now)


def _may_beat(session: Session, caller: Caller) -> bool:
    return caller.service is not None or session.viewer_id == caller.user_id
