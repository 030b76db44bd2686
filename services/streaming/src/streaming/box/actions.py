"""What can be done with a box: add, change, close, switch, acknowledge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from hazina import ids, outbox
from hazina.auth import Caller
from hazina.pg import SERVICE, Database, Transaction
from streaming.box import rules, store
from streaming.box.events import BoxPublished, BoxUnpublished
from streaming.box.rules import Box, Switch, Switched
from streaming.box.store import BoxRow
from streaming.cell.actions import Cells
from streaming.cell.rules import cell_of
from streaming.profile.rules import limit


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A box after its streamer's word, and whether that word is about the newest version."""

    box: BoxRow
    in_sync: bool


async def open_in(
    tx: Transaction, stream_id: UUID, streamer_id: UUID, slot: int, title: str | None = None
) -> BoxRow:
    """Open a box in a slot that the caller knows to be free."""
    id = ids.new()
    return await store.add_box(
        tx,
        {
            "id": id,
            "stream_id": stream_id,
            "slot": slot,
            "streamer_id": streamer_id,
            "cell": cell_of(stream_id),
            "title": title,
            "media_path": f"box_{id.hex}",
        },
    )


async def add_in(
    tx: Transaction,
    caller: Caller,
    stream_id: UUID,
    *,
    streamer_id: UUID | None,
    title: str | None,
    boxes_max: int,
) -> BoxRow:
    """Open a box for `streamer_id`, by default the host, in the lowest free slot."""
    host = caller.require_user()
    stream, limits = await store.lock_frame(tx, stream_id)
    taken = await store.list_slots(tx, stream_id)

    frame = replace(stream, boxes_max=limit(limits, "max_boxes_per_stream", boxes_max))
    slot = rules.slot_for(frame, host, taken)

    return await open_in(tx, stream_id, streamer_id or host, slot, title)


async def change(  # noqa: PLR0917  the first three are what every action takes
    db: Database,
    cells: Cells,
    caller: Caller,
    box_id: UUID,
    values: Mapping[str, Any],
    at: datetime,
) -> BoxRow:
    """Change a box's title or policy. Paused, it goes off in the same transaction."""
    user = caller.require_user()
    async with db.transaction(SERVICE) as tx:
        box = await store.lock_box(tx, box_id)

        rules.allow_change(box, user)

        if values.get("publish_policy") == "paused":
            await stop_in(tx, cells, [box], "paused", at)
        await store.set_box(tx, box_id, at, values)
        made = await store.read_row(tx, box_id)
    cells.tell([box_id])
    return made


async def close(db: Database, cells: Cells, caller: Caller, box_id: UUID, at: datetime) -> None:
    """Close a box: its camera stops and its viewers are sent away."""
    user = caller.require_user()
    async with db.transaction(SERVICE) as tx:
        box = await store.lock_box(tx, box_id)

        rules.allow_change(box, user)

        await stop_in(tx, cells, [box], "box_closed", at)
        await store.set_box(tx, box_id, at, {"status": "closed"})
    cells.tell([box_id])


async def stop_in(
    tx: Transaction, cells: Cells, boxes: Sequence[Box], reason: str, at: datetime
) -> list[Switched]:
    """Stop the cameras of `boxes` that run; only their cell's owner can, others get a 503."""
    switches = [
        Switch(box.id, box.cell, is_published=False, reason=reason, viewers=box.viewer_count)
        for box in boxes
        if box.is_published
    ]
    return await switch_in(tx, cells, switches, at)


async def stop_all_in(
    tx: Transaction, cells: Cells, stream_id: UUID, reason: str, at: datetime
) -> list[UUID]:
    """Stop every camera of a stream; give the ids of its open boxes."""
    open_boxes = await store.list_open(tx, [stream_id])
    locked = [await store.lock_box(tx, id) for id in sorted(box.id for box in open_boxes)]
    await stop_in(tx, cells, locked, reason, at)
    return [box.id for box in locked]


async def switch_in(
    tx: Transaction, cells: Cells, switches: Sequence[Switch], at: datetime
) -> list[Switched]:
    """Change publish states under the fence of their cells, and tell. Nothing else changes them.

    Gives those that were changed: a box that stands so already, or may not run, is left out.
    Raises LeaseLost when another process owns a cell by now; then nothing is changed.
    """
    if not switches:
        return []
    held = await cells.hold_in(tx, {one.cell for one in switches})
    changed = await store.switch_boxes(tx, switches, held, at)
    await outbox.publish(tx, *(_told(change) for change in changed))
    return changed


async def note_vacancies_in(tx: Transaction, vacancies: Mapping[UUID, bool], at: datetime) -> None:
    """Write since when published boxes have nobody, or that they have somebody again."""
    if vacancies:
        await store.set_vacancies(tx, vacancies, at)


async def tell_in(tx: Transaction, changed: Sequence[Switched]) -> None:
    """Tell of changes that the reconciling function of the database made in `tx`."""
    await outbox.publish(tx, *(_told(change) for change in changed))


async def acknowledge(
    db: Database, caller: Caller, box_id: UUID, *, version: int, state: str, at: datetime
) -> Acknowledged:
    """Take the streamer's word on which publish state they obey."""
    user = caller.require_user()
    async with db.transaction(SERVICE) as tx:
        box = await store.lock_box(tx, box_id)

        in_sync = rules.acknowledge(box, user, version)

        await store.set_publisher(
            tx,
            box_id,
            at,
            state=rules.STATE_BY_ACK[state],
            acked=max(version, box.acked_version),
        )
        return Acknowledged(await store.read_row(tx, box_id), in_sync)


async def note_publisher(db: Database, box_id: UUID, at: datetime) -> None:
    """Note that the streamer was heard of."""
    async with db.transaction(SERVICE) as tx:
        await store.set_publisher(tx, box_id, at, state=None, acked=None)


def _told(change: Switched) -> BoxPublished | BoxUnpublished:
    return (BoxPublished if change.is_published else BoxUnpublished).of(change)


async def list_ids_in(tx: Transaction, stream_id: UUID) -> list[UUID]:
    """List the open boxes of a stream."""
    return [box.id for box in await store.list_open(tx, [stream_id])]


async def list_open_in(tx: Transaction, stream_ids: Sequence[UUID]) -> list[BoxRow]:
    """List the open boxes of streams, by stream and slot."""
    return await store.list_open(tx, stream_ids)
