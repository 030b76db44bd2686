"""The outbox's side: what is numbered, what is published, and making the two agree."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from nats.aio.client import Client

from hazina.outbox import ledger, shard
from hazina.outbox.agreement import compare
from hazina.outbox.ledger import Connection
from hazina.outbox.stream import Refused, Stream
from hazina.outbox.subscription import SILENT_S, Subscription
from hazina.pg import Database

KEEP_DAYS = 14
TAKE_MAX = 1_000

STATUS: LiteralString = """
select shard, owner, lease_until, epoch, published_seq, halted,
    (select first_seq + n - 1 from outbox_window as w where w.shard = s.shard
        order by window_no desc limit 1)
from outbox_shard as s order by shard"""

WINDOWS: LiteralString = """
select shard, window_no, first_seq, n, digest, opened_at, last_pos < 0 from outbox_window
where shard = %s order by window_no desc limit %s"""

DIGESTS: LiteralString = """
select first_seq, n, digest from outbox_window
where shard = %s and first_seq >= %s and last_pos >= 0 order by first_seq"""

# Its two snapshots are one, so it has no rows: the next fact gets a number nobody ever saw.
BRIDGE: LiteralString = """
insert into outbox_window
    (shard, window_no, prev, cur, sliced, first_pos, last_pos, first_seq, n, digest)
select %(shard)s, window_no + 1, cur, cur, false, 0, -1, %(first)s, %(n)s, ''
from (
    select window_no, cur from outbox_window where shard = %(shard)s
    union all
    select 0, '1:1:'
) as newest order by window_no desc limit 1"""


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """How one shard stands in the database and in the stream."""

    shard: int
    owner: str | None
    lease_until: datetime | None
    epoch: int
    numbered: int  # the last number handed out
    noted: int  # what the relay last wrote down as published
    in_stream: int | None  # the last number the stream has; None when it has nothing
    halted: str | None  # why the relay waits for an operator

    @property
    def unpublished(self) -> int:
        """How many numbered facts the stream does not have yet."""
        return self.numbered - (self.noted if self.in_stream is None else self.in_stream)


@dataclass(frozen=True, slots=True)
class Window:
    """One step of the numbering."""

    shard: int
    window_no: int
    first_seq: int
    n: int
    digest: str
    opened_at: datetime
    bridge: bool


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A stretch of numbers where the stream is not what the ledger says."""

    shard: int
    first_seq: int
    n: int
    why: str


async def status(db: Database, nats: Client, service: str) -> list[ShardStatus]:
    """Tell of each shard who works on it and how far it is."""
    stream = Stream(nats, service)
    async with _connected(db) as connection:
        rows = await (await connection.execute(STATUS)).fetchall()
    found = []
    for number, owner, until, epoch, noted, halted, numbered in rows:
        last = await stream.last(number)
        found.append(
            ShardStatus(
                number,
                owner,
                until,
                epoch,
                numbered or 0,
                noted,
                last.seq if last else None,
                halted,
            )
        )
    return found


async def windows(db: Database, shard: int, limit: int = 50) -> list[Window]:
    """List the newest windows of a shard, newest first."""
    async with _connected(db) as connection:
        rows = await (await connection.execute(WINDOWS, (shard, limit))).fetchall()
    return [
        Window(number, no, first, n, bytes(digest).hex(), at, bridge)
        for number, no, first, n, digest, at, bridge in rows
    ]


async def verify(
    db: Database, nats: Client, service: str, *, repair: bool = False
) -> list[Mismatch]:
    """Compare every window still in the stream with what the stream holds, by digest.

    A stream cannot be mended in its middle. `repair` makes it anew from the ledger, which needs a
    broker user that may delete streams; consumers find their places again by themselves.
    """
    stream = Stream(nats, service)
    found: list[Mismatch] = []
    async with _connected(db) as connection:
        shards = await shard.all_shards(connection)
        for number in shards:
            found += await _verify_shard(connection, stream, number)
        if found and repair:
            info = await stream.ask(f"STREAM.INFO.{stream.name}")
            await stream.ask(f"STREAM.DELETE.{stream.name}")
            await stream.ensure(len(shards), int(info["config"]["num_replicas"]))
            for number in shards:
                await _republish_shard(connection, stream, number)
    return found


async def republish(db: Database, nats: Client, service: str) -> dict[int, int]:
    """Put into the stream what it lacks of the ledger; give how many facts, by shard.

    The relay does the same by itself. Raises Diverged for a stream that is ahead.
    """
    stream = Stream(nats, service)
    async with _connected(db) as connection:
        shards = await shard.all_shards(connection)
        await stream.ensure(len(shards), await _replicas(stream))
        return {number: await _republish_shard(connection, stream, number) for number in shards}


async def resolve_divergence(
    db: Database, nats: Client, service: str, number: int, *, accept_cluster: bool = False
) -> int:
    """Let a shard go on whose stream is ahead of its ledger; give how many numbers are bridged.

    The database lost commits that the world has heard of. Their numbers are never used again; what
    those facts said must be settled by people. `accept_cluster` also takes this PostgreSQL for the
    one that numbered the ledger: after pg_upgrade, which keeps transaction ids, or after a restored
    dump once `pg_resetwal` lifted them above those in `outbox`. Raises Diverged where one number
    means two facts: that ledger must be restored.
    """
    stream = Stream(nats, service)
    async with _connected(db) as connection:
        here = await shard.cluster(connection)
        if accept_cluster:
            await shard.know(connection, number, here)
        last, top = await stream.last(number), await ledger.head(connection, number)
        ahead = last.seq - top if last else 0
        if ahead > 0:
            asked = {"shard": number, "first": top + 1, "n": ahead}
            await connection.execute(BRIDGE, asked)
        await compare(connection, stream, number, here)
        await shard.know(connection, number, here)
        return max(ahead, 0)


async def prune(
    db: Database, *, keep_days: int = KEEP_DAYS, passed: Mapping[int, int] | None = None
) -> int:
    """Drop the days that are older than `keep_days` and published; give how many.

    `passed` is the lowest number that the slowest consumer of each shard has applied: a day that
    somebody still needs is kept. PostgreSQL raises for a day that is not published.
    """
    async with _connected(db) as connection:
        for number, seq in (passed or {}).items():
            needed = await ledger.aged_out(connection, number, keep_days)
            if seq < needed:
                return 0
        row = await (
            await connection.execute(
                "select outbox_prune((now() at time zone 'utc')::date - %s::int)", (keep_days,)
            )
        ).fetchone()
    return int(row[0]) if row else 0


@asynccontextmanager
async def _connected(db: Database) -> AsyncIterator[Connection]:
    connection = await db.connect()
    try:
        await connection.execute(ledger.SETUP)
        yield connection
    finally:
        await connection.close()


async def _replicas(stream: Stream) -> int:
    try:
        info = await stream.ask(f"STREAM.INFO.{stream.name}")
    except Refused:
        return 1
    return int(info["config"]["num_replicas"])


async def _republish_shard(db: Connection, stream: Stream, number: int) -> int:
    done, place = await compare(db, stream, number, await shard.cluster(db))
    count = 0
    while entries := await ledger.read(db, number, done):
        place = await stream.append(entries, number, place)
        done = entries[-1].seq
        count += len(entries)
    return count


async def _verify_shard(db: Connection, stream: Stream, number: int) -> list[Mismatch]:
    last = await stream.last(number)
    if last is None:
        return []
    found: list[Mismatch] = []
    held = _ids(stream, number, last.seq)
    first = await anext(held)
    rows = await (await db.execute(DIGESTS, (number, first[0]))).fetchall()
    buffer = {first[0]: first[1]}
    for first_seq, n, digest in rows:
        if first_seq + n - 1 > last.seq:
            break
        wanted = range(first_seq, first_seq + n)
        while wanted[-1] not in buffer and (item := await anext(held, None)):
            buffer[item[0]] = item[1]
        missing = [seq for seq in wanted if seq not in buffer]
        ids = [buffer.pop(seq) for seq in wanted if seq in buffer]
        if missing:
            found.append(Mismatch(number, first_seq, n, f"{len(missing)} are not in the stream"))
        elif _digest(ids) != bytes(digest):
            found.append(Mismatch(number, first_seq, n, "other facts are in the stream"))
    return found


async def _ids(stream: Stream, number: int, upto: int) -> AsyncIterator[tuple[int, UUID]]:
    """Yield what the stream holds of a shard, up to one number."""
    subscription = Subscription(stream, number, "verify")
    await subscription.open(1)
    try:
        while messages := await subscription.take(TAKE_MAX, SILENT_S):
            for message in messages:
                yield message.seq, UUID(message.headers["ce-id"])
            if messages[-1].seq >= upto:
                return
    finally:
        await subscription.close()


def _digest(ids: Sequence[UUID]) -> bytes:
    return hashlib.sha256(b"".join(id.bytes for id in ids)).digest()
