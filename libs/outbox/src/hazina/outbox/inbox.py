"""The rows of the inbox: how far each source shard is applied here, and what was set aside."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hazina.outbox.subscription import Message
from hazina.pg import Transaction

LEASE_S = 5


@dataclass(frozen=True, slots=True)
class Place:
    """Which reading: who reads which shard of which source."""

    consumer: str
    source: str
    shard: int

    def asked(self, **more: Any) -> dict[str, Any]:
        """Give the parameters every statement here takes, and `more`."""
        return {"consumer": self.consumer, "source": self.source, "shard": self.shard, **more}

    @property
    def labels(self) -> tuple[str, str, int]:
        """Name it for metrics."""
        return (self.consumer, self.source, self.shard)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last fact applied, and the keys whose facts wait in quarantine."""

    last_seq: int
    stream_seq: int
    digest: bytes
    parked: frozenset[str]


_MINE = "consumer = %(consumer)s and source = %(source)s and shard = %(shard)s"
_OPEN = "state in ('poison', 'parked', 'replaying')"

BEGIN = """
insert into inbox_cursor (consumer, source, shard)
select %(consumer)s, %(source)s, generate_series(0, %(shards)s - 1) on conflict do nothing"""

FIND = f"""
select last_seq, stream_seq, digest, (
    select array_agg(distinct key) from inbox_quarantine where {_MINE} and {_OPEN}
) from inbox_cursor where {_MINE}"""  # noqa: S608  only our own words

LOCK = FIND + " for update"

MOVE = f"""
update inbox_cursor set last_seq = %(last_seq)s, last_event = %(last_event)s,
    stream_seq = %(stream_seq)s, digest = %(digest)s, updated_at = clock_timestamp(),
    lease_until = clock_timestamp() + interval '{LEASE_S} s'
where {_MINE}"""  # noqa: S608  only our own words

# What comes while its key is being tried again joins the queue, or it would wait for ever.
SET_ASIDE = f"""
insert into inbox_quarantine
    (consumer, source, shard, seq, event_id, type, key, headers, payload, state, attempts, error)
select %(consumer)s, %(source)s, %(shard)s, fact.*,
    case when %(state)s = 'parked' and not exists (
        select from inbox_quarantine as q
        where {_MINE} and q.key = fact.key and q.state in ('poison', 'parked')
    ) then 'replaying' else %(state)s end, %(attempts)s, %(error)s
from unnest(%(seq)s::bigint[], %(event_id)s::uuid[], %(type)s::text[], %(key)s::text[],
    %(headers)s::jsonb[], %(payload)s::bytea[])
    as fact(seq, event_id, type, key, headers, payload)"""  # noqa: S608

# A row that is being applied is locked and skipped: its transaction renews the lease itself.
LEASE = f"""
update inbox_cursor set owner = %(me)s, lease_until = clock_timestamp() + interval '{LEASE_S} s'
where (consumer, source, shard) in (
    select consumer, source, shard from inbox_cursor
    where consumer = %(consumer)s
        and (owner is null or owner = %(me)s or lease_until < clock_timestamp())
    for update skip locked)"""  # noqa: S608

HELD = """
select source, shard, exists (
    select from inbox_quarantine as q where q.consumer = c.consumer and q.source = c.source
        and q.shard = c.shard and q.state = 'replaying'
) from inbox_cursor as c
where consumer = %(consumer)s and owner = %(me)s and lease_until > clock_timestamp()"""

RELEASE = """
update inbox_cursor set owner = null, lease_until = null
where consumer = %(consumer)s and owner = %(me)s"""

REPLAYING = f"""
select seq, headers, payload from inbox_quarantine as q
where {_MINE} and state = 'replaying' and not exists (
    select from inbox_quarantine as before where before.consumer = q.consumer
        and before.source = q.source and before.shard = q.shard and before.key = q.key
        and before.seq < q.seq and before.state in ('poison', 'parked'))
order by seq limit %(limit)s"""  # noqa: S608

RESOLVE = f"""
update inbox_quarantine set state = 'replayed', attempts = attempts + 1, error = null,
    last_at = clock_timestamp()
where {_MINE} and seq = %(seq)s"""  # noqa: S608

# The one that failed is poison again; what stands behind it waits again.
FAIL = f"""
update inbox_quarantine set attempts = attempts + (seq = %(seq)s)::int,
    state = case when seq = %(seq)s then 'poison' else 'parked' end,
    error = case when seq = %(seq)s then %(error)s else error end, last_at = clock_timestamp()
where {_MINE} and key = %(key)s and seq >= %(seq)s and state = 'replaying'"""  # noqa: S608


async def begin(tx: Transaction, consumer: str, source: str, shards: int) -> None:
    """Have a cursor for each shard of `source`, at its beginning if it is new."""
    await tx.exec_driver_sql(BEGIN, {"consumer": consumer, "source": source, "shards": shards})


async def find(tx: Transaction, place: Place) -> Cursor:
    """Read the cursor; another may move it meanwhile."""
    return await _cursor(tx, FIND, place)


async def lock(tx: Transaction, place: Place) -> Cursor:
    """Read the cursor and hold it until the transaction ends."""
    return await _cursor(tx, LOCK, place)


async def move(tx: Transaction, place: Place, cursor: Cursor, passed: Sequence[Message]) -> Cursor:
    """Set the cursor behind the last of `passed`, which follow it without a gap."""
    digest = cursor.digest
    for message in passed:
        digest = hashlib.sha256(digest + UUID(message.headers["ce-id"]).bytes).digest()
    last = passed[-1]
    moved = Cursor(last.seq, last.stream_seq or cursor.stream_seq, digest, cursor.parked)
    await tx.exec_driver_sql(
        MOVE,
        place.asked(
            last_seq=moved.last_seq,
            last_event=last.headers["ce-id"],
            stream_seq=moved.stream_seq,
            digest=digest,
        ),
    )
    return moved


async def set_aside(
    tx: Transaction,
    place: Place,
    messages: Sequence[Message],
    state: str,
    *,
    attempts: int = 0,
    error: str | None = None,
) -> None:
    """Put `messages` into quarantine; while one is there, later facts of its key wait too."""
    await tx.exec_driver_sql(
        SET_ASIDE,
        place.asked(
            state=state,
            attempts=attempts,
            error=error,
            seq=[m.seq for m in messages],
            event_id=[m.headers["ce-id"] for m in messages],
            type=[m.type for m in messages],
            key=[m.key for m in messages],
            headers=[json.dumps(dict(m.headers)) for m in messages],
            payload=[m.payload for m in messages],
        ),
    )


async def _cursor(tx: Transaction, statement: str, place: Place) -> Cursor:
    row: Sequence[Any] = (await tx.exec_driver_sql(statement, place.asked())).one()
    return Cursor(row[0], row[1], bytes(row[2]), frozenset(row[3] or ()))


async def lease(tx: Transaction, consumer: str, me: str) -> dict[tuple[str, int], bool]:
    """Renew what `me` reads and take what nobody does; tell which has something to replay."""
    asked = {"consumer": consumer, "me": me}
    await tx.exec_driver_sql(LEASE, asked)
    rows: Sequence[Any] = (await tx.exec_driver_sql(HELD, asked)).all()
    return {(source, shard): replaying for source, shard, replaying in rows}


async def release(tx: Transaction, consumer: str, me: str) -> None:
    """Give all readings back, so that another listener need not wait."""
    await tx.exec_driver_sql(RELEASE, {"consumer": consumer, "me": me})


async def replaying(tx: Transaction, place: Place, limit: int) -> list[Message]:
    """List what an operator asked to try again and nothing earlier of its key blocks."""
    asked = place.asked(limit=limit)
    rows: Sequence[Any] = (await tx.exec_driver_sql(REPLAYING, asked)).all()
    return [Message(seq, headers, bytes(payload)) for seq, headers, payload in rows]


async def resolve(tx: Transaction, place: Place, message: Message) -> None:
    """Note that a fact from quarantine was applied."""
    await tx.exec_driver_sql(RESOLVE, place.asked(seq=message.seq))


async def fail(tx: Transaction, place: Place, message: Message, error: str) -> None:
    """Note that a fact from quarantine failed again; its key waits on."""
    await tx.exec_driver_sql(FAIL, place.asked(seq=message.seq, key=message.key, error=error))
