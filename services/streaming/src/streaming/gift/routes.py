"""Gifts and boards over HTTP."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from hazina.auth import Caller, Signed
from hazina.chassis import Db, Now, Page, Paged, Wire, etag, refuses
from hazina.pg import Database
from streaming.box.rules import StreamUnknown
from streaming.gift import rules, store
from streaming.gift.rules import EPOCH, EVERYWHERE, REFRESH_S, STREAM_REFRESH_S, Board, Period
from streaming.profile.rules import ProfileUnknown

router = APIRouter(prefix="/streaming/v1", tags=["gift"])

RECENT = timedelta(seconds=60)
RANK_MAX = 10_000  # a place beyond it is not counted exactly


class GiftRead(Wire):
    """A gift."""

    gift_id: UUID
    stream_id: UUID | None
    box_id: UUID | None
    sender_id: UUID
    recipient_id: UUID
    gift_type: str
    quantity: int
    coin_amount: int
    sent_at: datetime
    reversed: bool


class RecentGifts(Wire):
    """The gifts of the last minute."""

    count_60s: int
    coins_60s: int


class Received(Wire):
    """What somebody was given in a stream."""

    recipient_id: UUID
    coins: int
    gifts: int


class GiftTotals(Wire):
    """A stream's gifts, summed."""

    coins: int
    gifts: int
    recent_gifts: RecentGifts
    by_recipient: list[Received]


class Ranked(Wire):
    """Somebody's place on a board."""

    rank: int
    profile_id: UUID
    username: str | None
    display_name: str | None
    avatar_url: str | None
    coins: int
    gifts: int


class Mine(Wire):
    """The caller's own place; null beyond what is counted exactly."""

    rank: int | None
    coins: int
    gifts: int


class BoardRead(Wire):
    """The first hundred of a board, as last computed."""

    board: Literal["supporters", "streamers", "profile", "stream"]
    window: Period
    window_start: datetime
    window_end: datetime | None
    version: int
    computed_at: datetime
    next_refresh_s: int
    data: list[Ranked]
    me: Mine | None


Window = Annotated[Period, Query()]
IfNoneMatch = Annotated[str | None, Header(description="The ETag last seen.")]
SHOWN: dict[int | str, dict[str, Any]] = {304: {"description": "It is as the caller saw it."}}


@router.get("/streams/{stream_id}/gifts/recent", responses=refuses(StreamUnknown))
async def get_recent_gifts(
    stream_id: UUID, caller: Signed, db: Db, now: Now, paging: Paged
) -> Page[GiftRead]:
    """List a stream's gifts, newest first."""
    before = paging.after(datetime, UUID)
    async with db.reading(caller.actor) as tx:
        if await store.find_stream_sums(tx, stream_id, now) is None:
            raise StreamUnknown(id=str(stream_id))
        rows = await store.list_feed(tx, stream_id, before=before, fetch=paging.fetch)
    return paging.page(rows, key=lambda row: (row.sent_at, row.gift_id), shape=GiftRead)


@router.get("/streams/{stream_id}/gifts/totals", responses=refuses(StreamUnknown))
async def get_gift_totals(stream_id: UUID, caller: Signed, db: Db, now: Now) -> GiftTotals:
    """Sum up a stream's gifts."""
    async with db.reading(caller.actor) as tx:
        sums = await store.find_stream_sums(tx, stream_id, now - RECENT)
        if sums is None:
            raise StreamUnknown(id=str(stream_id))
        by_recipient = await store.list_by_recipient(tx, stream_id)
    return GiftTotals(
        coins=sums.total_gift_coins,
        gifts=sums.gift_count,
        recent_gifts=RecentGifts(count_60s=sums.count_60s, coins_60s=sums.coins_60s),
        by_recipient=[Received.of(row) for row in by_recipient],
    )


@router.get(
    "/streams/{stream_id}/leaderboard",
    response_model=BoardRead,
    responses=refuses(StreamUnknown) | SHOWN,
)
async def get_stream_board(
    stream_id: UUID,
    caller: Signed,
    db: Db,
    now: Now,
    *,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Show who gave most in a stream."""
    async with db.reading(caller.actor) as tx:
        if await store.find_stream_sums(tx, stream_id, now) is None:
            raise StreamUnknown(id=str(stream_id))
    board = Board("stream", stream_id, "sent", "all", EPOCH, _me(caller))
    made = await _read(db, caller, board, "stream", STREAM_REFRESH_S, now=now)
    return _tagged(made, if_none_match)


@router.get(
    "/profiles/{profile_id}/leaderboard",
    response_model=BoardRead,
    responses=refuses(ProfileUnknown) | SHOWN,
)
async def get_profile_board(
    profile_id: UUID,
    caller: Signed,
    db: Db,
    now: Now,
    *,
    window: Window = "all",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Show who gave a streamer most."""
    async with db.reading(caller.actor) as tx:
        if not await store.profile_is_there(tx, profile_id):
            raise ProfileUnknown(id=str(profile_id))
    start = rules.window_start(window, now)
    board = Board("streamer", profile_id, "sent", window, start, _me(caller))
    made = await _read(db, caller, board, "profile", REFRESH_S[window], now=now)
    return _tagged(made, if_none_match)


@router.get("/leaderboards/{board}", response_model=BoardRead, responses=SHOWN)
async def get_board(
    board: Literal["supporters", "streamers"],
    caller: Signed,
    db: Db,
    now: Now,
    *,
    window: Window = "all",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Show who gave most, or who was given most, everywhere."""
    metric = "sent" if board == "supporters" else "received"
    start = rules.window_start(window, now)
    key = Board("global", EVERYWHERE, metric, window, start, _me(caller))
    made = await _read(db, caller, key, board, REFRESH_S[window], now=now)
    return _tagged(made, if_none_match)


def _me(caller: Caller) -> UUID:
    return caller.user_id or EVERYWHERE  # a service is on no board


async def _read(
    db: Database,
    caller: Caller,
    board: Board,
    name: Literal["supporters", "streamers", "profile", "stream"],
    refresh_s: int,
    *,
    now: datetime,
) -> BoardRead:
    async with db.reading(caller.actor) as tx:
        rows = await store.list_board(tx, board)
        mine = await store.find_rank(tx, board, RANK_MAX)
    me = None
    if mine is not None:
        place = mine.ahead + 1 if mine.ahead < RANK_MAX else None
        me = Mine(rank=place, coins=mine.coins, gifts=mine.gifts)
    return BoardRead(
        board=name,
        window=board.period,
        window_start=board.window_start,
        window_end=rules.window_end(board.period, board.window_start),
        version=max((row.version for row in rows), default=0),
        computed_at=max((row.computed_at for row in rows), default=now),
        next_refresh_s=refresh_s,
        data=[Ranked.of(row) for row in rows],
        me=me,
    )


def _tagged(board: BoardRead, seen: str | None) -> Response:
    """Answer with the board, or 304 when the caller has seen this version of it."""
    tag = {"ETag": etag(board.version)}
    if seen == tag["ETag"]:
        return Response(status_code=304, headers=tag)
    return Response(board.model_dump_json(), media_type="application/json", headers=tag)
