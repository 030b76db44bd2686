"""The SQL of chats. Reads and writes; decides nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text

from hazina.pg import Transaction
from streaming.box.rules import StreamUnknown
from streaming.chat.rules import Message, Room, Speaker

OPEN = text("insert into chat_rooms (stream_id, day) values (:stream, :day)")
MAKE_DAY = text("select make_chat_day(cast(:day as date))")
ROOM = """
    select r.stream_id, r.day, r.slow_seconds, s.profile_id as host_id, s.status
      from chat_rooms r join live_streams s on s.id = r.stream_id where r.stream_id = :stream"""
LOCK_ROOM = text(ROOM + " for update of r")
READ_ROOM = text(ROOM)
SPEAKER = text("""
    select coalesce(p.status, 'active') <> 'active' as suspended, c.kind as sanction, c.until,
           case when :slow > 0 then (
               select max(m.created_at) from chat_messages m
                where m.day = :day and m.stream_id = :stream and m.profile_id = :profile
                  and m.kind = 'message') end as last_spoke_at
      from (select 1) one
      left join profiles p on p.id = :profile
      left join chat_sanctions c
        on c.owner_id = :host and c.profile_id = :profile and c.lifted_at is null""")
TAKE_NUMBERS = text("""
    with wanted as (
        select r.stream_id, w.n from chat_rooms r
          join unnest(cast(:streams as uuid[]), cast(:counts as bigint[])) as w(stream_id, n)
            using (stream_id)
         order by r.stream_id for update of r
    )
    update chat_rooms r set last_seq = r.last_seq + wanted.n, updated_at = now()
      from wanted where r.stream_id = wanted.stream_id
    returning r.stream_id, r.day, r.last_seq - wanted.n + 1 as first_seq""")
ADD = text("""
    insert into chat_messages (day, stream_id, seq, profile_id, kind, body, gift, client_msg_id,
                               created_at)
    select day, stream_id, seq, profile_id, kind, body, cast(gift as jsonb), client_msg_id,
           created_at
      from unnest(cast(:days as date[]), cast(:streams as uuid[]), cast(:seqs as bigint[]),
                  cast(:profiles as uuid[]), cast(:kinds as text[]), cast(:bodies as text[]),
                  cast(:gifts as text[]), cast(:names as text[]), cast(:times as timestamptz[]))
           as m(day, stream_id, seq, profile_id, kind, body, gift, client_msg_id, created_at)""")
SHOWN = """
    select m.stream_id, m.seq, m.kind, m.profile_id, p.display_name,
           coalesce(p.supporter_coins > 0, false) as supporter,
           case when m.deleted_at is null then m.body end as body, m.gift, m.client_msg_id,
           m.created_at, m.deleted_at is not null as deleted
      from chat_messages m left join profiles p on p.id = m.profile_id
     where m.day = :day and m.stream_id = :stream"""
SAID = text(SHOWN + " and m.profile_id = :profile and m.client_msg_id = :name")
AFTER = text(SHOWN + " and m.seq > :seq order by m.seq limit :most")
BEFORE = text(SHOWN + " and m.seq < :seq order by m.seq desc limit :most")
LAST = text("select last_seq from chat_rooms where stream_id = :stream")
MARK_REVERSED = text("""
    update chat_messages m set gift = jsonb_set(m.gift, '{reversed}', 'true')
      from unnest(cast(:streams as uuid[]), cast(:seqs as bigint[])) as g(stream_id, seq)
      join chat_rooms r using (stream_id)
     where m.day = r.day and m.stream_id = g.stream_id and m.seq = g.seq and m.gift is not null""")


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers that a room has given out: from `first` on."""

    day: date
    first: int


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message with its number, to be written."""

    day: date
    stream_id: UUID
    seq: int
    profile_id: UUID | None
    kind: str
    created_at: datetime
    body: str | None = None
    gift: str | None = None  # JSON
    client_msg_id: str | None = None


async def open_room(tx: Transaction, stream_id: UUID, day: date) -> None:
    """Open the room of a new stream, and see to it that its messages have a place."""
    await tx.execute(MAKE_DAY, {"day": day})
    await tx.execute(OPEN, {"stream": stream_id, "day": day})


async def make_day(tx: Transaction, day: date) -> bool:
    """Make the place for chats of streams created on `day`; False if it was there."""
    return bool((await tx.execute(MAKE_DAY, {"day": day})).scalar_one())


async def read_room(tx: Transaction, stream_id: UUID, *, lock: bool = False) -> Room:
    """Read a room; locked, nobody else takes a number until the transaction ends."""
    query = LOCK_ROOM if lock else READ_ROOM
    row = (await tx.execute(query, {"stream": stream_id})).one_or_none()
    if row is None:
        raise StreamUnknown(id=str(stream_id))
    return Room(*row)


async def read_speaker(tx: Transaction, room: Room, profile_id: UUID) -> Speaker:
    """Read what stands against somebody's speaking in a room."""
    asked = {
        "slow": room.slow_seconds,
        "day": room.day,
        "stream": room.stream_id,
        "profile": profile_id,
        "host": room.host_id,
    }
    return Speaker(profile_id, *(await tx.execute(SPEAKER, asked)).one())


async def take_numbers(tx: Transaction, counts: Mapping[UUID, int]) -> dict[UUID, Numbers]:
    """Take the next numbers of rooms, locked in one order until the transaction ends."""
    streams = sorted(counts)
    asked = {"streams": streams, "counts": [counts[id] for id in streams]}
    rows = await tx.execute(TAKE_NUMBERS, asked)
    return {row.stream_id: Numbers(row.day, row.first_seq) for row in rows}


async def add_messages(tx: Transaction, messages: Sequence[NewMessage]) -> None:
    """Write messages under the numbers that were taken for them."""
    await tx.execute(
        ADD,
        {
            "days": [m.day for m in messages],
            "streams": [m.stream_id for m in messages],
            "seqs": [m.seq for m in messages],
            "profiles": [m.profile_id for m in messages],
            "kinds": [m.kind for m in messages],
            "bodies": [m.body for m in messages],
            "gifts": [m.gift for m in messages],
            "names": [m.client_msg_id for m in messages],
            "times": [m.created_at for m in messages],
        },
    )


async def find_said(tx: Transaction, room: Room, profile_id: UUID, name: str) -> Message | None:
    """Find the message that somebody sent under this name of theirs."""
    asked = {"day": room.day, "stream": room.stream_id, "profile": profile_id, "name": name}
    row = (await tx.execute(SAID, asked)).one_or_none()
    return None if row is None else Message(*row)


async def list_after(tx: Transaction, room: Room, seq: int, most: int) -> list[Message]:
    """List what was said after a number, in order."""
    asked = {"day": room.day, "stream": room.stream_id, "seq": seq, "most": most}
    return [Message(*row) for row in await tx.execute(AFTER, asked)]


async def list_before(tx: Transaction, room: Room, seq: int, most: int) -> list[Message]:
    """List what was said before a number, in order."""
    asked = {"day": room.day, "stream": room.stream_id, "seq": seq, "most": most}
    return [Message(*row) for row in await tx.execute(BEFORE, asked)][::-1]


async def last_seq(tx: Transaction, stream_id: UUID) -> int:
    """Give the last number of a room."""
    found = (await tx.execute(LAST, {"stream": stream_id})).scalar_one_or_none()
    if found is None:
        raise StreamUnknown(id=str(stream_id))
    return int(found)


async def mark_reversed(tx: Transaction, messages: Sequence[tuple[UUID, int]]) -> None:
    """Mark the messages of gifts that were taken back."""
    asked = {"streams": [id for id, _ in messages], "seqs": [seq for _, seq in messages]}
    await tx.execute(MARK_REVERSED, asked)
