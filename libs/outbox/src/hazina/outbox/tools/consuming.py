"""The inbox's side: how far behind, what is set aside, and trying it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nats.aio.client import Client

from hazina.outbox.stream import Stream
from hazina.pg import SERVICE, Database
from hazina.problems import Kind, Problem

LIST_MAX = 200


class FactUnknown(Problem, code="quarantine.unknown", kind=Kind.UNKNOWN):
    """There is no such fact in quarantine."""


class StillPoisoned(Problem, code="quarantine.still_poisoned", kind=Kind.CONFLICT):
    """A fact of this key still fails; replay or discard it first."""


class ResetIntoQuarantine(Problem, code="quarantine.reset_refused", kind=Kind.CONFLICT):
    """Facts that would be applied again wait in quarantine; replay or discard them first."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far one source shard is applied here."""

    source: str
    shard: int
    last_seq: int
    in_stream: int | None  # the last number of the source's stream
    owner: str | None
    updated_at: datetime
    waiting: int  # facts in quarantine

    @property
    def behind(self) -> int:
        """How many facts of the stream are not applied here."""
        return max((self.in_stream or 0) - self.last_seq, 0)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One fact that could not be applied, or waits behind one."""

    source: str
    shard: int
    seq: int
    type: str
    key: str
    state: str
    attempts: int
    error: str | None
    first_at: datetime
    payload: str | None = None  # only from `show`


_WHERE = "consumer = %(consumer)s and source = %(source)s and shard = %(shard)s"
_SHORT = "source, shard, seq, type, key, state, attempts, error, first_at"

LAG = """
select source, shard, last_seq, owner, updated_at, (
    select count(*) from inbox_quarantine as q where q.consumer = c.consumer
        and q.source = c.source and q.shard = c.shard
        and q.state in ('poison', 'parked', 'replaying'))
from inbox_cursor as c where consumer = %(consumer)s order by source, shard"""

LIST = f"""
select {_SHORT} from inbox_quarantine
where consumer = %(consumer)s and state = any (%(states)s)
order by source, shard, seq limit %(limit)s"""  # noqa: S608  only our own words

SHOW = f"""
select {_SHORT}, convert_from(payload, 'UTF8') from inbox_quarantine
where {_WHERE} and seq = %(seq)s"""  # noqa: S608

# The listener parks under this lock: nothing can be parked while we look.
HOLD = f"select from inbox_cursor where {_WHERE} for update"

REPLAY = f"""
update inbox_quarantine set state = 'replaying', last_at = clock_timestamp()
where {_WHERE} and key = %(key)s and state in ('poison', 'parked')"""  # noqa: S608

DISCARD = f"""
update inbox_quarantine set state = 'discarded', resolved_by = %(reason)s,
    last_at = clock_timestamp()
where {_WHERE} and seq = %(seq)s and state in ('poison', 'parked')"""  # noqa: S608

POISONED = f"""
select count(*) from inbox_quarantine
where {_WHERE} and key = %(key)s and state = 'poison'"""  # noqa: S608

RESET = f"""
update inbox_cursor set last_seq = %(to)s, last_event = null, stream_seq = 0, digest = '',
    updated_at = clock_timestamp()
where {_WHERE}"""  # noqa: S608

IN_THE_WAY = f"""
select count(*) from inbox_quarantine
where {_WHERE} and seq > %(to)s and state in ('poison', 'parked', 'replaying')"""  # noqa: S608

FORGET = f"delete from inbox_quarantine where {_WHERE} and seq > %(to)s"  # noqa: S608


async def lag(db: Database, nats: Client, consumer: str) -> list[Lag]:
    """Tell of each source shard how far it is applied."""
    found = []
    for row in await _rows(db, LAG, consumer=consumer):
        source, shard, last_seq, owner, updated_at, waiting = row
        last = await Stream(nats, source).last(shard)
        in_stream = last.seq if last else None
        found.append(Lag(source, shard, last_seq, in_stream, owner, updated_at, waiting))
    return found


async def quarantined(
    db: Database, consumer: str, states: Sequence[str] = ("poison", "parked", "replaying")
) -> list[Quarantined]:
    """List at most 200 facts in quarantine, in the order of their numbers."""
    asked = {"consumer": consumer, "states": list(states), "limit": LIST_MAX}
    return [Quarantined(*row) for row in await _rows(db, LIST, **asked)]


async def show(db: Database, consumer: str, source: str, shard: int, seq: int) -> Quarantined:
    """Show one fact with what it says; raises FactUnknown."""
    asked = {"consumer": consumer, "source": source, "shard": shard, "seq": seq}
    rows = await _rows(db, SHOW, **asked)
    if not rows:
        raise FactUnknown(source=source, shard=shard, seq=seq)
    return Quarantined(*rows[0])


async def replay(db: Database, consumer: str, source: str, shard: int, key: str) -> int:
    """Have the listener try everything of `key` again, in order; give how many facts that is."""
    asked = {"consumer": consumer, "source": source, "shard": shard, "key": key}
    async with db.transaction(SERVICE) as tx:
        await tx.exec_driver_sql(HOLD, asked)
        return (await tx.exec_driver_sql(REPLAY, asked)).rowcount


async def discard(
    db: Database, consumer: str, source: str, shard: int, seq: int, *, reason: str
) -> None:
    """Give one fact up for good, and say why; raises FactUnknown. Later ones still wait."""
    assert reason.strip(), "say why"
    asked = {"consumer": consumer, "source": source, "shard": shard, "seq": seq, "reason": reason}
    async with db.transaction(SERVICE) as tx:
        if not (await tx.exec_driver_sql(DISCARD, asked)).rowcount:
            raise FactUnknown(source=source, shard=shard, seq=seq)


async def unpark(db: Database, consumer: str, source: str, shard: int, key: str) -> int:
    """Let go on what waits behind a fact that was given up; raises StillPoisoned."""
    asked = {"consumer": consumer, "source": source, "shard": shard, "key": key}
    async with db.transaction(SERVICE) as tx:
        await tx.exec_driver_sql(HOLD, asked)
        if (await tx.exec_driver_sql(POISONED, asked)).scalar_one():
            raise StillPoisoned(key=key)
        return (await tx.exec_driver_sql(REPLAY, asked)).rowcount


async def reset(db: Database, consumer: str, source: str, shard: int, to: int) -> None:
    """Have the listener go on after number `to`: facts are skipped, or applied a second time.

    Only for handlers that may see a fact twice, or facts that were settled by hand.
    Raises ResetIntoQuarantine.
    """
    asked = {"consumer": consumer, "source": source, "shard": shard, "to": to}
    async with db.transaction(SERVICE) as tx:
        if (await tx.exec_driver_sql(IN_THE_WAY, asked)).scalar_one():
            raise ResetIntoQuarantine(source=source, shard=shard)
        await tx.exec_driver_sql(FORGET, asked)
        await tx.exec_driver_sql(RESET, asked)


async def bootstrap(db: Database, consumer: str, source: str) -> int:
    """Have everything `source` ever said applied from its first fact on; give how many shards."""
    rows = await _rows(
        db,
        "select shard from inbox_cursor where consumer = %(consumer)s and source = %(source)s",
        consumer=consumer,
        source=source,
    )
    for (shard,) in rows:
        await reset(db, consumer, source, shard, 0)
    return len(rows)


async def _rows(db: Database, statement: str, **asked: Any) -> Sequence[Any]:
    async with db.reading(SERVICE) as tx:
        return (await tx.exec_driver_sql(statement, asked)).all()
