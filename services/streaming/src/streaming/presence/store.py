"""The SQL of presence: the mirror, the marker, and the two functions. Decides nothing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from hazina.pg import Transaction
from streaming.box.rules import Switched
from streaming.presence.rules import BoxFacts, Departure, Session, Watched

FACTS = """
    select b.id, b.stream_id, s.org_id, s.profile_id as host_id, b.streamer_id, b.cell,
           b.media_path, s.status as stream_status, b.status, b.publish_policy, b.is_published,
           b.publish_version, b.publish_reason, b.publish_changed_at, b.acked_version,
           b.publisher_state,
           cast(extract(epoch from clock_timestamp() - b.vacant_since) as float8) as vacant_for_s,
           b.version + s.version + b.publish_version as revision
      from video_boxes b join live_streams s on s.id = b.stream_id
"""
BOXES = text(FACTS + "where b.id = any (cast(:ids as uuid[]))")
# What a new owner must know: boxes that run, and boxes that somebody is said to watch.
RUNNING = text(
    FACTS  # noqa: S608  our own phrases, no value from outside
    + """where b.cell = any (cast(:cells as smallint[]))
           and (b.is_published or b.id in (
                select box_id from box_viewers where cell = any (cast(:cells as smallint[]))))"""
)
VIEWINGS = text("""
    select session_id, box_id, viewer_id, sid, generation, joined_at from box_viewers
     where cell = any (cast(:cells as smallint[])) order by session_id""")
JOINER = text(
    "select f.*, p.status as profile_status, e.limits, "  # noqa: S608  our own phrases
    "exists (select from chat_sanctions c where c.owner_id = f.host_id and c.profile_id = :viewer"
    "         and c.kind = 'ban' and c.lifted_at is null) as banned from ("
    + FACTS
    + """where b.id = :box) f
          left join profiles p on p.id = :viewer
          left join entitlement_snapshot e on e.org_id = f.org_id"""
)
ADD = text("""
    insert into box_viewers (session_id, box_id, stream_id, cell, viewer_id, sid, state, replica,
                             generation, joined_at, last_active_at)
    select session_id, box_id, stream_id, cell, viewer_id, sid, state, :replica, generation,
           joined_at, clock_timestamp() - make_interval(secs => age_s)
      from unnest(cast(:ids as uuid[]), cast(:boxes as uuid[]), cast(:streams as uuid[]),
                  cast(:cells as smallint[]), cast(:viewers as uuid[]), cast(:sids as text[]),
                  cast(:states as text[]), cast(:generations as bigint[]),
                  cast(:joined as timestamptz[]), cast(:ages as float8[]))
           as v(session_id, box_id, stream_id, cell, viewer_id, sid, state, generation,
                joined_at, age_s)
     order by session_id
    on conflict (session_id) do update
       set state = excluded.state, replica = excluded.replica, generation = excluded.generation,
           last_active_at = excluded.last_active_at""")
TOUCH = text("""
    update box_viewers v
       set last_active_at = clock_timestamp() - make_interval(secs => t.age_s), state = t.state
      from (select t.* from unnest(cast(:ids as uuid[]), cast(:states as text[]),
                                   cast(:ages as float8[])) as t(session_id, state, age_s)
              join box_viewers using (session_id) order by session_id for update of box_viewers) t
     where v.session_id = t.session_id""")
REMOVE = text("""
    with gone as (
        select session_id from box_viewers
         where session_id = any (cast(:ids as uuid[])) order by session_id for update
    )
    delete from box_viewers v using gone where v.session_id = gone.session_id
    returning v.session_id""")
WATCHED = text("""
    update live_streams s set watched_seconds = s.watched_seconds + w.watched_s, updated_at = now()
      from (select stream_id, watched_s
              from unnest(cast(:streams as uuid[]), cast(:seconds as bigint[]))
                   as w(stream_id, watched_s)
              join live_streams on id = stream_id order by id for update of live_streams) w
     where s.id = w.stream_id""")
COUNT_BOXES = text("""
    update video_boxes b set viewer_count = c.viewers, updated_at = now()
      from (select box_id, viewers
              from unnest(cast(:ids as uuid[]), cast(:viewers as bigint[])) as c(box_id, viewers)
              join video_boxes on id = box_id order by id for update of video_boxes) c
     where b.id = c.box_id and b.viewer_count <> c.viewers""")
COUNT_STREAMS = text("""
    update live_streams s
       set viewer_count = c.viewers, peak_viewers = greatest(s.peak_viewers, c.viewers),
           updated_at = now()
      from (select stream_id, viewers
              from unnest(cast(:ids as uuid[]), cast(:viewers as bigint[])) as c(stream_id, viewers)
              join live_streams on id = stream_id order by id for update of live_streams) c
     where s.id = c.stream_id and s.viewer_count <> c.viewers""")
MARK = text("""
    insert into presence_marker (id) values (1) on conflict do nothing returning id""")
CLEANUP = text("""
    select session_id, box_id, viewer_id, joined_at, last_active_at
      from cleanup_stale_viewers(make_interval(secs => :timeout_s), 10000,
                                 cast(:cells as smallint[]))""")
RECONCILE = text("""
    with changed as (
        select * from update_publish_state_from_viewers(
            cast(:ids as uuid[]), make_interval(secs => :timeout_s),
            make_interval(secs => :linger_s), :on_only)
    )
    select c.box_id, b.stream_id, s.org_id, b.streamer_id, b.media_path, c.is_published,
           c.publish_version as version, c.reason, c.viewers, c.at as occurred_at
      from changed c join video_boxes b on b.id = c.box_id join live_streams s on s.id = b.stream_id
     order by c.box_id""")
OPEN_IN_CELLS = text("""
    select id from video_boxes
     where cell = any (cast(:cells as smallint[])) and (status = 'open' or is_published)""")
PEOPLE = text("""
    select id, display_name from profiles where id = any (cast(:ids as uuid[]))""")


@dataclass(frozen=True, slots=True)
class Joiner:
    """What the database knows of somebody who wants to watch, and of the box."""

    box: BoxFacts
    suspended: bool
    banned: bool
    limits: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Orphan:
    """A viewing in the mirror that nobody keeps up."""

    session_id: UUID
    box_id: UUID
    viewer_id: UUID
    joined_at: datetime
    last_active_at: datetime


@dataclass(frozen=True, slots=True)
class Viewing:
    """A viewing as the mirror has it."""

    session_id: UUID
    box_id: UUID
    viewer_id: UUID
    sid: str
    generation: int
    joined_at: datetime


async def read_boxes(tx: Transaction, ids: Collection[UUID]) -> list[BoxFacts]:
    """Read boxes as the publish decision sees them."""
    return [_facts(row) for row in await tx.execute(BOXES, {"ids": list(ids)})]


async def list_running(tx: Transaction, cells: Collection[int]) -> list[BoxFacts]:
    """List the boxes of cells that run, or that the mirror says somebody watches."""
    return [_facts(row) for row in await tx.execute(RUNNING, {"cells": sorted(cells)})]


async def list_viewings(tx: Transaction, cells: Collection[int]) -> list[Viewing]:
    """List what the mirror holds of cells."""
    return [Viewing(*row) for row in await tx.execute(VIEWINGS, {"cells": sorted(cells)})]


async def find_joiner(tx: Transaction, box_id: UUID, viewer_id: UUID) -> Joiner | None:
    """Read all that a join asks, in one statement; None when there is no such box."""
    row = (await tx.execute(JOINER, {"box": box_id, "viewer": viewer_id})).one_or_none()
    if row is None:
        return None
    # Somebody of whom we have not heard yet is nobody that was suspended.
    suspended = row.profile_status not in {None, "active"}
    return Joiner(_facts(row), suspended, row.banned, row.limits)


async def add_viewings(
    tx: Transaction, replica: str, sessions: Sequence[Session], ages: Sequence[float]
) -> None:
    """Write viewings into the mirror, or write them again; `ages` are seconds since heard."""
    facts = [session.box.facts for session in sessions]
    await tx.execute(
        ADD,
        {
            "replica": replica,
            "ids": [session.id for session in sessions],
            "boxes": [box.id for box in facts],
            "streams": [box.stream_id for box in facts],
            "cells": [box.cell for box in facts],
            "viewers": [session.viewer_id for session in sessions],
            "sids": [session.sid for session in sessions],
            "states": [str(session.state) for session in sessions],
            "generations": [session.generation for session in sessions],
            "joined": [session.joined_at for session in sessions],
            "ages": list(ages),
        },
    )


async def touch_viewings(
    tx: Transaction, sessions: Sequence[Session], ages: Sequence[float]
) -> None:
    """Note in the mirror when viewings were heard."""
    asked = {
        "ids": [session.id for session in sessions],
        "states": [str(session.state) for session in sessions],
        "ages": list(ages),
    }
    await tx.execute(TOUCH, asked)


async def remove_viewings(tx: Transaction, ids: Iterable[UUID]) -> set[UUID]:
    """Delete viewings; give those that were there, for each is counted once."""
    return set((await tx.execute(REMOVE, {"ids": list(ids)})).scalars())


async def add_watched(tx: Transaction, gone: Iterable[Departure]) -> None:
    """Add what was watched to each stream."""
    seconds: dict[UUID, int] = {}
    for one in gone:
        stream_id = one.session.box.facts.stream_id
        seconds[stream_id] = seconds.get(stream_id, 0) + one.watched_s
    await add_seconds(tx, seconds)


async def add_seconds(tx: Transaction, seconds: Mapping[UUID, int]) -> None:
    """Add watched seconds to streams."""
    if seconds:
        streams = sorted(seconds)
        asked = {"streams": streams, "seconds": [seconds[id] for id in streams]}
        await tx.execute(WATCHED, asked)


async def set_counts(
    tx: Transaction, boxes: Collection[Watched], streams: Mapping[UUID, int]
) -> None:
    """Write how many watch, as absolute numbers."""
    counted = {box.id: len(box.viewers) for box in boxes}
    for query, counts in ((COUNT_STREAMS, streams), (COUNT_BOXES, counted)):  # streams lock first
        if counts:
            await tx.execute(query, {"ids": list(counts), "viewers": list(counts.values())})


async def place_marker(tx: Transaction) -> bool:
    """See to it that the marker is there; tell whether it was gone, and so the mirror emptied."""
    return (await tx.execute(MARK)).one_or_none() is not None


async def cleanup(tx: Transaction, cells: Collection[int], timeout_s: float) -> list[Orphan]:
    """Delete viewings that were not heard of for `timeout_s`, by the database's function."""
    asked = {"timeout_s": timeout_s, "cells": sorted(cells)}
    return [Orphan(*row) for row in await tx.execute(CLEANUP, asked)]


async def list_open(tx: Transaction, cells: Collection[int]) -> list[UUID]:
    """List the boxes of cells that could be published, or are."""
    return list((await tx.execute(OPEN_IN_CELLS, {"cells": sorted(cells)})).scalars())


async def reconcile(
    tx: Transaction, ids: Collection[UUID], *, timeout_s: float, linger_s: float, on_only: bool
) -> list[Switched]:
    """Have the database's function make is_published agree with the mirror."""
    asked = {"ids": list(ids), "timeout_s": timeout_s, "linger_s": linger_s, "on_only": on_only}
    rows = await tx.execute(RECONCILE, asked)
    return [Switched(**row._mapping) for row in rows]  # noqa: SLF001  a row's public face


async def list_names(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, str | None]:
    """Give people's display names, of those we have heard of."""
    rows = await tx.execute(PEOPLE, {"ids": list(ids)})
    return {row.id: row.display_name for row in rows}


def _facts(row: Any) -> BoxFacts:
    return BoxFacts(*(getattr(row, name) for name in BoxFacts.__dataclass_fields__))
