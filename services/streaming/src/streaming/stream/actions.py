"""What can be done with a stream: announce, change, start, end, settle."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hazina import ids, outbox
from hazina.auth import Caller
from hazina.pg import SERVICE, Database, Transaction
from streaming.box import actions as boxes
from streaming.cell.actions import Cells
from streaming.chat import actions as chat
from streaming.profile import actions as profiles
from streaming.stream import events, rules, store
from streaming.stream.store import StreamRow

SETTLE_AFTER = timedelta(seconds=1)  # the owner of the cell has then heard of the end
SETTLED_MAX = 100  # streams of one run
LOST_AFTER = timedelta(minutes=5)
LONGEST = timedelta(hours=24)


async def announce_in(
    tx: Transaction, caller: Caller, values: Mapping[str, Any], at: datetime
) -> StreamRow:
    """Announce a stream, with the host's box in slot 0 and its chat room."""
    host = caller.require_user()
    suspended = await profiles.suspended_in(tx, host)

    rules.allow_hosting(caller.org_role, suspended=suspended)

    await profiles.know_in(tx, [host])
    wanted = {"id": ids.new(), "profile_id": host, "org_id": caller.org_id, "created_at": at}
    made = await store.add_stream(tx, {**values, **wanted})
    await boxes.open_in(tx, made.id, host, slot=0)
    await chat.open_in(tx, made.id, at)
    return made


async def change(
    db: Database, caller: Caller, stream_id: UUID, values: Mapping[str, Any], at: datetime
) -> StreamRow:
    """Change what is said of a stream."""
    user = caller.require_user()
    async with db.transaction(SERVICE) as tx:
        stream = await store.lock_stream(tx, stream_id)

        rules.change(stream, user)

        await store.set_stream(tx, stream_id, at, values)
        return await store.read_row(tx, stream_id)


async def start(
    db: Database, cells: Cells, caller: Caller, stream_id: UUID, at: datetime
) -> StreamRow:
    """Go live; asked again, it is live still."""
    user = caller.require_user()
    async with db.transaction(SERVICE) as tx:
        stream = await store.lock_stream(tx, stream_id)
        live = await store.find_live_of(tx, stream.profile_id)

        begins = rules.start(stream, user, live)

        if begins and not await store.set_live(tx, stream, at):
            live = await store.find_live_of(tx, stream.profile_id)
            raise rules.AlreadyLive(live_stream_id=str(live))
        made = await store.read_row(tx, stream_id)
        if begins:
            await outbox.publish(
                tx,
                events.StreamStarted(
                    stream_id=made.id,
                    org_id=made.org_id,
                    profile_id=made.profile_id,
                    title=made.title,
                    started_at=at,
                ),
            )
        opened = await boxes.list_ids_in(tx, stream_id)
    cells.tell(opened)
    return made


async def end(
    db: Database, cells: Cells, caller: Caller, stream_id: UUID, at: datetime
) -> StreamRow:
    """End a stream: its cameras stop at once; asked again, it has ended still."""
    user = caller.require_user()
    staff = caller.platform_role in rules.STAFF
    async with db.transaction(SERVICE) as tx:
        stream = await store.lock_stream(tx, stream_id)
        owns = caller.org_id == stream.org_id and caller.org_role == "owner"

        reason = rules.end(stream, user, staff=staff, owns_org=owns)

        opened = [] if reason is None else await _end_in(tx, cells, stream, reason, at)
        made = await store.read_row(tx, stream_id)
    cells.tell(opened)
    return made


async def end_for(db: Database, cells: Cells, stream_id: UUID, reason: str, at: datetime) -> bool:
    """End a stream for a reason of our own; False when it had ended already."""
    async with db.transaction(SERVICE) as tx:
        stream = await store.lock_stream(tx, stream_id)
        if stream.status == "ended":
            return False
        opened = await _end_in(tx, cells, stream, reason, at)
    cells.tell(opened)
    return True


async def _end_in(
    tx: Transaction, cells: Cells, stream: rules.Stream, reason: str, at: datetime
) -> list[UUID]:
    opened = await boxes.stop_all_in(tx, cells, stream.id, "stream_ended", at)
    await store.set_ended(tx, stream, reason, at)
    return opened


async def settle(db: Database, at: datetime) -> int:
    """Tell of ended streams whose last viewing has been counted, each once."""
    async with db.transaction(SERVICE) as tx:
        ended = await store.lock_unsettled(tx, before=at - SETTLE_AFTER, most=SETTLED_MAX)
        if not ended:
            return 0
        await store.set_settled(tx, [row.id for row in ended], at)
        await outbox.publish(tx, *(_ended(row) for row in ended))
    return len(ended)


async def end_abandoned(db: Database, cells: Cells, at: datetime) -> int:
    """End live streams whose publishers are lost, or that have run for a day."""
    async with db.reading(SERVICE) as tx:
        found = await store.list_abandoned(tx, lost=at - LOST_AFTER, too_long=at - LONGEST)
    return sum([await end_for(db, cells, id, reason, at) for id, reason in found])


def _ended(row: Any) -> events.StreamEnded:
    facts = {
        name: getattr(row, name) for name in events.StreamEnded.model_fields if name != "stream_id"
    }
    return events.StreamEnded(stream_id=row.id, **facts)
