"""The SQL of streams. Reads and writes; decides nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError

from hazina.pg import Transaction
from streaming import tables
from streaming.stream.rules import Stream, StreamUnknown

streams, profiles = tables.live_streams, tables.profiles

RECENT = text("""
    select stream_id, count(*) as count_60s, cast(sum(coin_amount) as bigint) as coins_60s
      from gift_feed
     where stream_id = any (cast(:ids as uuid[])) and reversed_at is null
       and sent_at > cast(:since as timestamptz)
     group by stream_id""")
LIVE_AT = text("""
    update profiles set is_live = true, live_stream_id = :stream, updated_at = now()
     where id = :profile""")
NOT_LIVE = text("""
    update profiles set is_live = false, live_stream_id = null, updated_at = now()
     where id = :profile and live_stream_id = :stream""")
# Only streams whose last viewing is counted: the mirror has no row of theirs any more.
UNSETTLED = text("""
    select s.id, s.org_id, s.profile_id, s.ended_reason as reason, s.started_at, s.ended_at,
           coalesce(cast(extract(epoch from s.ended_at - s.started_at) as bigint), 0) as duration_s,
           s.watched_seconds as watched_s, s.peak_viewers as peak,
           s.total_gift_coins as gift_coins, s.gift_count
      from live_streams s
     where s.status = 'ended' and s.settled_at is null
       and s.ended_at < cast(:before as timestamptz)
       and not exists (select from box_viewers v join video_boxes b on b.id = v.box_id
                        where b.stream_id = s.id and v.cell = b.cell)
     order by s.ended_at limit :most for update of s skip locked""")
ABANDONED = text("""
    select s.id, case when s.started_at < cast(:too_long as timestamptz) then 'too_long'
                      else 'publisher_lost' end as reason
      from live_streams s
     where s.status = 'live' and (s.started_at < cast(:too_long as timestamptz) or (
           s.started_at < cast(:lost as timestamptz) and not exists (
               select from video_boxes b where b.stream_id = s.id
                  and b.publisher_seen_at >= cast(:lost as timestamptz))))
     order by s.id limit 100""")


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream as its readers see it."""

    id: UUID
    profile_id: UUID
    org_id: UUID
    title: str
    description: str | None
    language: str | None
    status: str
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


SHOWN = [streams.c[name] for name in StreamRow.__dataclass_fields__]
FRAME = [streams.c[name] for name in Stream.__dataclass_fields__]


async def lock_stream(tx: Transaction, id: UUID) -> Stream:
    """Read a stream and hold it until the transaction ends."""
    row = (await tx.execute(select(*FRAME).where(streams.c.id == id).with_for_update())).first()
    if row is None:
        raise StreamUnknown(id=str(id))
    return Stream(*row)


async def read_row(tx: Transaction, id: UUID) -> StreamRow:
    """Read a stream as it is shown."""
    row = (await tx.execute(select(*SHOWN).where(streams.c.id == id))).one_or_none()
    if row is None:
        raise StreamUnknown(id=str(id))
    return StreamRow(*row)


async def list_streams(
    tx: Transaction,
    *,
    profile_id: UUID | None,
    status: str | None,
    after: tuple[Any, ...] | None,
    fetch: int,
) -> list[StreamRow]:
    """List streams, newest first."""
    query = select(*SHOWN).order_by(streams.c.created_at.desc(), streams.c.id.desc()).limit(fetch)
    if profile_id is not None:
        query = query.where(streams.c.profile_id == profile_id)
    if status is not None:
        query = query.where(streams.c.status == status)
    if after is not None:
        at, id = after
        older = or_(streams.c.created_at < at, and_(streams.c.created_at == at, streams.c.id < id))
        query = query.where(older)
    return [StreamRow(*row) for row in await tx.execute(query)]


async def list_live(tx: Transaction, *, language: str | None, most: int) -> list[StreamRow]:
    """List the streams that are live, the newest first, at most `most`."""
    query = select(*SHOWN).where(streams.c.status == "live")
    if language is not None:
        query = query.where(streams.c.language == language)
    query = query.order_by(streams.c.started_at.desc(), streams.c.id.desc()).limit(most)
    return [StreamRow(*row) for row in await tx.execute(query)]


async def recent_gifts(
    tx: Transaction, ids: Sequence[UUID], since: datetime
) -> dict[UUID, tuple[int, int]]:
    """Give how many gifts each stream had since then, and their coins."""
    rows = await tx.execute(RECENT, {"ids": list(ids), "since": since})
    return {row.stream_id: (row.count_60s, row.coins_60s) for row in rows}


async def find_live_of(tx: Transaction, profile_id: UUID) -> UUID | None:
    """Find the stream in which somebody is live."""
    query = select(streams.c.id).where(
        streams.c.profile_id == profile_id, streams.c.status == "live"
    )
    return (await tx.execute(query)).scalar_one_or_none()


async def add_stream(tx: Transaction, values: Mapping[str, Any]) -> StreamRow:
    """Announce a stream."""
    made = await tx.execute(insert(streams).values(**values).returning(*SHOWN))
    return StreamRow(*made.one())


async def set_stream(tx: Transaction, id: UUID, at: datetime, values: Mapping[str, Any]) -> None:
    """Write what changed of a stream, one version on."""
    change = update(streams).where(streams.c.id == id)
    await tx.execute(change.values(**values, version=streams.c.version + 1, updated_at=at))


async def set_live(tx: Transaction, stream: Stream, at: datetime) -> bool:
    """Go live, unless the host went live in another stream at the same time."""
    try:
        async with tx.begin_nested():
            await set_stream(tx, stream.id, at, {"status": "live", "started_at": at})
    except IntegrityError:
        return False
    await tx.execute(LIVE_AT, {"stream": stream.id, "profile": stream.profile_id})
    return True


async def set_ended(tx: Transaction, stream: Stream, reason: str, at: datetime) -> None:
    """End a stream; its host is not live any more."""
    values = {"status": "ended", "ended_at": at, "ended_reason": reason, "viewer_count": 0}
    await set_stream(tx, stream.id, at, values)
    await tx.execute(NOT_LIVE, {"stream": stream.id, "profile": stream.profile_id})


async def lock_unsettled(tx: Transaction, *, before: datetime, most: int) -> Sequence[Any]:
    """Read ended streams that nobody is being counted in any more, and hold them."""
    return (await tx.execute(UNSETTLED, {"before": before, "most": most})).all()


async def set_settled(tx: Transaction, ids: Sequence[UUID], at: datetime) -> None:
    """Note that these are settled."""
    await tx.execute(update(streams).where(streams.c.id.in_(ids)).values(settled_at=at))


async def list_abandoned(
    tx: Transaction, *, lost: datetime, too_long: datetime
) -> list[tuple[UUID, str]]:
    """List live streams whose publishers were not heard since `lost`, or that run too long."""
    rows = await tx.execute(ABANDONED, {"lost": lost, "too_long": too_long})
    return [(row.id, row.reason) for row in rows]
