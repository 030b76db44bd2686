"""The SQL of boxes. Reads and writes; decides nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text, update

from hazina.pg import Transaction
from streaming import tables
from streaming.box.rules import Box, BoxUnknown, StreamFrame, StreamUnknown, Switch, Switched
from streaming.cell.rules import Held

boxes, streams = tables.video_boxes, tables.live_streams

# On only where the database agrees that it may run: the owner's memory can be a moment behind.
SWITCH = text("""
    with asked as (
        select * from unnest(cast(:ids as uuid[]), cast(:ons as boolean[]),
                             cast(:reasons as text[]), cast(:viewers as bigint[]),
                             cast(:epochs as bigint[]))
                 as asked(box_id, is_on, reason, viewers, epoch)
    ), locked as (
        select b.id, s.status = 'live' and b.status = 'open' and b.publish_policy = 'demand' as may
          from video_boxes b join live_streams s on s.id = b.stream_id
         where b.id in (select box_id from asked)
         order by b.id for update of b
    ), changed as (
        update video_boxes b
           set is_published = a.is_on, publish_version = b.publish_version + 1,
               publish_reason = a.reason, publish_changed_at = :at, vacant_since = null,
               viewer_count = a.viewers, cell_epoch = a.epoch, updated_at = :at
          from asked a, locked l
         where b.id = a.box_id and l.id = b.id and b.is_published <> a.is_on
           and (l.may or not a.is_on) and b.cell_epoch <= a.epoch
        returning b.*
    ), noted as (
        insert into box_transitions
              (box_id, publish_version, is_published, reason, viewers, cell_epoch, at)
        select id, publish_version, is_published, publish_reason, viewer_count, cell_epoch, :at
          from changed
    )
    select c.id as box_id, c.stream_id, s.org_id, c.streamer_id, c.media_path, c.is_published,
           c.publish_version as version, c.publish_reason as reason, c.viewer_count as viewers,
           c.publish_changed_at as occurred_at
      from changed c join live_streams s on s.id = c.stream_id order by c.id""")
VACATE = text("""
    update video_boxes b
       set vacant_since = case when v.vacant then coalesce(b.vacant_since, :at) end,
           updated_at = :at
      from (select box_id, vacant
              from unnest(cast(:ids as uuid[]), cast(:vacant as boolean[])) as v(box_id, vacant)
              join video_boxes on id = box_id order by box_id for update of video_boxes) v
     where b.id = v.box_id""")


@dataclass(frozen=True, slots=True)
class BoxRow:
    """A box as its readers see it."""

    id: UUID
    stream_id: UUID
    slot: int
    streamer_id: UUID
    title: str | None
    status: str
    publish_policy: str
    is_published: bool
    publish_version: int
    publish_reason: str | None
    publish_changed_at: datetime
    acked_version: int
    publisher_state: str
    media_path: str
    viewer_count: int
    version: int
    created_at: datetime


SHOWN = [boxes.c[name] for name in BoxRow.__dataclass_fields__]


async def switch_boxes(
    tx: Transaction, asked: Sequence[Switch], held: Mapping[int, Held], at: datetime
) -> list[Switched]:
    """Change publish states that differ, each one version on; give those that were changed."""
    rows = await tx.execute(
        SWITCH,
        {
            "ids": [one.box_id for one in asked],
            "ons": [one.is_published for one in asked],
            "reasons": [one.reason for one in asked],
            "viewers": [one.viewers for one in asked],
            "epochs": [held[one.cell].epoch for one in asked],
            "at": at,
        },
    )
    return [Switched(**row._mapping) for row in rows]  # noqa: SLF001  a row's public face


async def set_vacancies(tx: Transaction, vacancies: Mapping[UUID, bool], at: datetime) -> None:
    """Note which published boxes have lost their last viewer, and which have one again."""
    ids = sorted(vacancies)
    asked = {"ids": ids, "vacant": [vacancies[id] for id in ids], "at": at}
    await tx.execute(VACATE, asked)


async def lock_box(tx: Transaction, id: UUID) -> Box:
    """Read a box with its stream's host, and hold it until the transaction ends."""
    return await _box(tx, id, lock=True)


async def read_box(tx: Transaction, id: UUID) -> Box:
    """Read a box with its stream's host."""
    return await _box(tx, id, lock=False)


async def _box(tx: Transaction, id: UUID, *, lock: bool) -> Box:
    wanted = [boxes.c[name] for name in Box.__dataclass_fields__ if name in boxes.c]
    query = (
        select(*wanted, streams.c.profile_id.label("host_id"))
        .add_columns(streams.c.status.label("stream_status"))
        .join_from(boxes, streams, streams.c.id == boxes.c.stream_id)
        .where(boxes.c.id == id)
    )
    if lock:
        query = query.with_for_update(of=boxes)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise BoxUnknown(id=str(id))
    return Box(**row._mapping)  # noqa: SLF001


async def read_row(tx: Transaction, id: UUID) -> BoxRow:
    """Read a box as it is shown."""
    row = (await tx.execute(select(*SHOWN).where(boxes.c.id == id))).one_or_none()
    if row is None:
        raise BoxUnknown(id=str(id))
    return BoxRow(*row)


async def list_open(tx: Transaction, stream_ids: Sequence[UUID]) -> list[BoxRow]:
    """List the open boxes of streams, by slot."""
    query = (
        select(*SHOWN)
        .where(boxes.c.stream_id.in_(stream_ids), boxes.c.status == "open")
        .order_by(boxes.c.stream_id, boxes.c.slot)
    )
    return [BoxRow(*row) for row in await tx.execute(query)]


async def lock_frame(tx: Transaction, stream_id: UUID) -> tuple[StreamFrame, dict[str, Any] | None]:
    """Read what adding a box asks about its stream, and hold the stream; with its org's limits."""
    snapshot = tables.entitlement_snapshot
    query = (
        select(streams.c.id, streams.c.profile_id, streams.c.org_id, streams.c.status)
        .where(streams.c.id == stream_id)
        .with_for_update()
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise StreamUnknown(id=str(stream_id))
    limits = await tx.execute(select(snapshot.c.limits).where(snapshot.c.org_id == row.org_id))
    frame = StreamFrame(row.id, row.profile_id, row.org_id, row.status, boxes_max=0)
    return frame, limits.scalar_one_or_none()


async def list_slots(tx: Transaction, stream_id: UUID) -> list[int]:
    """List the slots that are taken."""
    query = select(boxes.c.slot).where(boxes.c.stream_id == stream_id, boxes.c.status == "open")
    return list((await tx.execute(query)).scalars())


async def add_box(tx: Transaction, values: Mapping[str, Any]) -> BoxRow:
    """Add an open box."""
    made = await tx.execute(insert(boxes).values(**values).returning(*SHOWN))
    return BoxRow(*made.one())


async def set_box(tx: Transaction, id: UUID, at: datetime, values: Mapping[str, Any]) -> None:
    """Write what changed of a box, one version on."""
    change = update(boxes).where(boxes.c.id == id)
    await tx.execute(change.values(**values, version=boxes.c.version + 1, updated_at=at))


async def set_publisher(
    tx: Transaction, id: UUID, at: datetime, *, state: str | None, acked: int | None
) -> None:
    """Write what was heard of the publisher; that it was heard is news in itself."""
    values: dict[str, Any] = {"publisher_seen_at": at, "updated_at": at}
    if state is not None:
        values |= {"publisher_state": state, "acked_version": acked}
    await tx.execute(update(boxes).where(boxes.c.id == id).values(**values))


async def list_log(
    tx: Transaction, box_id: UUID, *, before: int | None, fetch: int
) -> Sequence[Any]:
    """List a box's changes, newest first."""
    log = tables.box_transitions
    query = (
        select(log.c.publish_version.label("version"), log.c.is_published, log.c.reason)
        .add_columns(log.c.viewers, log.c.at)
        .where(log.c.box_id == box_id)
        .order_by(log.c.publish_version.desc())
        .limit(fetch)
    )
    if before is not None:
        query = query.where(log.c.publish_version < before)
    return (await tx.execute(query)).all()
