"""Streams over HTTP: announce, start, end, and find what is live."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import Field

from hazina import idempotency
from hazina.auth import Caller, Signed
from hazina.chassis import Db, Now, Page, Paged, Wire, refuses
from hazina.idempotency import MayKey
from hazina.pg import SERVICE, Database, Transaction
from streaming.box import actions as boxes
from streaming.profile.rules import UserSuspended
from streaming.stream import actions, rules, store
from streaming.stream.store import StreamRow

router = APIRouter(prefix="/streaming/v1", tags=["stream"])

RECENT = timedelta(seconds=60)
LIVE_MAX = 1000  # streams that are ranked; beyond it the newest count
Status = Literal["scheduled", "live", "ended"]


class StreamCreate(Wire):
    """What is to be streamed."""

    title: Annotated[str, Field(min_length=1, max_length=140)]
    description: Annotated[str, Field(max_length=2000)] | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    scheduled_for: datetime | None = None


class StreamUpdate(Wire):
    """What may be changed of a stream until it ends."""

    title: Annotated[str, Field(min_length=1, max_length=140)] = ""
    description: Annotated[str, Field(max_length=2000)] | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    scheduled_for: datetime | None = None


class RecentGifts(Wire):
    """The gifts of the last minute."""

    count_60s: int
    coins_60s: int


class StreamBox(Wire):
    """A box of a stream."""

    id: UUID
    stream_id: UUID
    slot: int
    streamer_id: UUID
    title: str | None
    status: Literal["open", "closed"]
    publish_policy: Literal["demand", "paused"]
    is_published: bool
    publish_version: int
    publish_reason: str | None
    publish_changed_at: datetime
    acked_version: int
    publisher_state: Literal["absent", "ready", "publishing"]
    media_path: str
    viewer_count: int
    version: int
    created_at: datetime


class StreamRead(Wire):
    """A stream with its open boxes and its latest gifts."""

    id: UUID
    profile_id: UUID
    org_id: UUID
    title: str
    description: str | None
    language: str | None
    status: Status
    scheduled_for: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    ended_reason: str | None
    viewer_count: int
    peak_viewers: int
    total_gift_coins: int
    gift_count: int
    version: int
    created_at: datetime
    recent_gifts: RecentGifts
    boxes: list[StreamBox]


class Recommended(Wire):
    """A live stream, and why it is shown here."""

    stream: StreamRead
    reasons: list[Literal["popular", "new", "gifts", "language"]]


@router.post("/streams", status_code=201, responses=refuses(rules.RoleTooLow, UserSuspended))
async def post_stream(
    ask: StreamCreate, caller: Signed, db: Db, now: Now, attempt: MayKey
) -> StreamRead:
    """Announce a stream; the host's box is in slot 0."""
    async with db.transaction(SERVICE) as tx:
        if done := await idempotency.find(tx, attempt, StreamRead):
            return done
        made = await actions.announce_in(tx, caller, ask.model_dump(), now)
        shown = (await _shown(tx, [made], now))[0]
        await idempotency.keep(tx, attempt, shown)
    return shown


@router.get("/streams")
async def list_streams(
    caller: Signed,
    db: Db,
    now: Now,
    paging: Paged,
    *,
    profile_id: UUID | None = None,
    status: Status | None = None,
) -> Page[StreamRead]:
    """List streams, newest first."""
    after = paging.after(datetime, UUID)
    async with db.reading(caller.actor) as tx:
        rows = await store.list_streams(
            tx, profile_id=profile_id, status=status, after=after, fetch=paging.fetch
        )
        shown = await _shown(tx, rows, now)
    return paging.page(shown, key=lambda row: (row.created_at, row.id), shape=StreamRead)


@router.get("/streams/live")
async def list_live_streams(
    caller: Signed,
    db: Db,
    now: Now,
    *,
    sort: Literal["recommended", "viewers", "newest"] = "recommended",
    language: Annotated[str | None, Query(max_length=35)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[Recommended]:
    """List what is live: recommended, with the most viewers first, or the newest first."""
    async with db.reading(caller.actor) as tx:
        wanted = None if sort == "recommended" else language
        rows = await store.list_live(tx, language=wanted, most=LIVE_MAX)
        shown = await _shown(tx, _sorted(rows, sort, language)[:limit], now)
    return Page[Recommended](data=[_recommended(row, language, now) for row in shown])


@router.get("/streams/{stream_id:uuid}", responses=refuses(rules.StreamUnknown))
async def get_stream(stream_id: UUID, caller: Signed, db: Db, now: Now) -> StreamRead:
    """Show a stream with its boxes."""
    return await _read(db, caller, stream_id, now)


@router.patch(
    "/streams/{stream_id:uuid}",  # so that `live` is no stream
    responses=refuses(rules.StreamUnknown, rules.StreamNotYours, rules.StreamEnded),
)
async def patch_stream(
    stream_id: UUID, ask: StreamUpdate, caller: Signed, db: Db, now: Now
) -> StreamRead:
    """Change what is said of one's own stream."""
    await actions.change(db, caller, stream_id, ask.model_dump(exclude_unset=True), now)
    return await _read(db, caller, stream_id, now)


@router.post(
    "/streams/{stream_id}/start",
    responses=refuses(
        rules.StreamUnknown, rules.StreamNotYours, rules.StreamEnded, rules.AlreadyLive
    ),
)
async def post_start(
    stream_id: UUID, caller: Signed, db: Db, now: Now, request: Request
) -> StreamRead:
    """Go live; asked again, the answer is the same."""
    await actions.start(db, request.app.state.cells, caller, stream_id, now)
    return await _read(db, caller, stream_id, now)


@router.post(
    "/streams/{stream_id}/end", responses=refuses(rules.StreamUnknown, rules.StreamNotYours)
)
async def post_end(
    stream_id: UUID, caller: Signed, db: Db, now: Now, request: Request
) -> StreamRead:
    """End a stream: its cameras stop at once; asked again, the answer is the same."""
    await actions.end(db, request.app.state.cells, caller, stream_id, now)
    return await _read(db, caller, stream_id, now)


async def _read(db: Database, caller: Caller, stream_id: UUID, now: datetime) -> StreamRead:
    async with db.reading(caller.actor) as tx:
        row = await store.read_row(tx, stream_id)
        return (await _shown(tx, [row], now))[0]


async def _shown(tx: Transaction, rows: Sequence[StreamRow], now: datetime) -> list[StreamRead]:
    """Show streams with their boxes and latest gifts, in two statements for all of them."""
    ids = [row.id for row in rows]
    opened = await boxes.list_open_in(tx, ids)
    gifts = await store.recent_gifts(tx, ids, now - RECENT)
    return [
        StreamRead(
            **{name: getattr(row, name) for name in StreamRow.__dataclass_fields__},
            recent_gifts=RecentGifts(
                count_60s=gifts.get(row.id, (0, 0))[0], coins_60s=gifts.get(row.id, (0, 0))[1]
            ),
            boxes=[StreamBox.of(box) for box in opened if box.stream_id == row.id],
        )
        for row in rows
    ]


def _sorted(rows: list[StreamRow], sort: str, language: str | None) -> list[StreamRow]:
    """Rank live streams, which come newest first; sorting keeps that order among equals."""
    match sort:
        case "viewers":
            return sorted(rows, key=lambda row: -row.viewer_count)
        case "recommended":
            # Numbers of viewers of one order of magnitude are alike, so that newer ones are seen.
            return sorted(
                rows, key=lambda row: (row.language != language, -row.viewer_count.bit_length())
            )
    return rows


def _recommended(row: StreamRead, language: str | None, now: datetime) -> Recommended:
    why = rules.reasons(
        viewers=row.viewer_count,
        started_at=row.started_at or now,
        coins_60s=row.recent_gifts.coins_60s,
        now=now,
    )
    if language is not None and row.language == language:
        why.append("language")
    return Recommended.model_validate({"stream": row, "reasons": why})
