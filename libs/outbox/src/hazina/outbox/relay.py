"""The relay: numbers what was committed and keeps the stream a copy of that numbering."""

import asyncio
import logging
import os
import socket
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from time import monotonic

from nats.aio.client import Client
from nats.errors import Error as NatsError
from psycopg import errors

from hazina import ids
from hazina.outbox import crash, ledger, metrics, producer, shard, tracing
from hazina.outbox.agreement import Diverged, compare
from hazina.outbox.broker import connect
from hazina.outbox.ledger import Connection, Entry
from hazina.outbox.stream import WRONG_SEQUENCE, Refused, Stream
from hazina.outbox.tables import DAYS_AHEAD
from hazina.outbox.waiting import Backoff, alone, pause
from hazina.pg import Database

log = logging.getLogger("hazina.outbox")

POLL_MIN_S, POLL_MAX_S = 0.002, 0.05  # for facts of other processes; our own wake us
KEEP_EVERY_S = 1  # leases, progress, scheduled facts
PARTITIONS_EVERY_S, PARTITIONS_RETRY_S = 3_600, 60
HALTED_RETRY_S = 5


@dataclass(slots=True)
class Lane:
    """One shard, as this relay works on it."""

    shard: int
    led: bool = False  # we hold its lease
    agreed: bool = False  # stream and ledger were compared in this cluster, so we may number
    done: int = 0  # last number in the stream
    place: int = 0  # where in the stream
    fresh: asyncio.Event = field(default_factory=asyncio.Event)


class Relay:
    """Carries a service's outbox to its stream. Any number of them may run; one works a shard."""

    def __init__(self, db: Database, nats_url: str, service: str, *, replicas: int = 1) -> None:
        """Take the service's database and broker; `replicas` is how many servers keep a copy."""
        self._db = db
        self._nats_url = nats_url
        self._service = service
        self._replicas = replicas
        self._me = f"{socket.gethostname()}:{os.getpid()}:{ids.new().hex[-8:]}"
        self._woken = producer.sleeper(str(db.url))
        self._lanes: dict[int, Lane] = {}
        self._here: shard.Cluster | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`, through every trouble with database and broker; then hand over."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                await alone(self._session(stop, backoff))
            except* Exception as trouble:
                log.warning("relay of %s starts again: %r", self._service, trouble.exceptions)
            await backoff.pause(stop)

    async def _session(self, stop: asyncio.Event, backoff: Backoff) -> None:
        """Work with one pair of database connections until one fails or `stop`."""
        async with AsyncExitStack() as stack:
            sequencer, reader = [await self._connect(stack) for _ in range(2)]
            self._here = await shard.cluster(reader)
            self._lanes = {number: Lane(number) for number in await shard.all_shards(reader)}
            backoff.reset()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._wake_all(stop))
                group.create_task(self._keep(reader, stop))
                group.create_task(self._sequence(sequencer, stop))
                group.create_task(self._broadcast(reader, stop))
            await self._note(reader)
            await shard.release(reader, self._me)

    async def _connect(self, stack: AsyncExitStack) -> Connection:
        db: Connection = await self._db.connect()
        stack.push_async_callback(db.close)
        await db.execute(ledger.SETUP)
        return db

    async def _wake_all(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._woken.set()
        for lane in self._lanes.values():
            lane.fresh.set()

    # Keeping: leases, progress, partitions, scheduled facts

    async def _keep(self, db: Connection, stop: asyncio.Event) -> None:
        partitions_at = 0.0
        while not stop.is_set():
            crash.point("before-lease")
            self._take(await shard.lease(db, self._me))
            await self._note(db)
            if monotonic() >= partitions_at:
                partitions_at = monotonic() + await self._make_partitions(db)
            while await producer.promote(db):
                self._woken.set()
            await pause(stop, KEEP_EVERY_S)

    async def _make_partitions(self, db: Connection) -> float:
        """Make the days ahead; give the seconds after which to look again."""
        try:
            await db.execute("select outbox_ensure_partitions(%s)", (DAYS_AHEAD,))
        except errors.LockNotAvailable:
            return PARTITIONS_RETRY_S  # somebody reads the ledger for long; there is a week
        return PARTITIONS_EVERY_S

    def _take(self, held: dict[int, shard.Cluster | None]) -> None:
        """Work on the shards that are ours now, and leave those that are not."""
        assert self._here
        for lane in self._lanes.values():
            led = lane.shard in held
            if led and not lane.led:
                lane.agreed = held[lane.shard] == self._here
                log.info("relay of %s takes shard %d", self._service, lane.shard)
            if led != lane.led:
                lane.led = led
                lane.fresh.set()
            metrics.leading.labels(self._service, lane.shard).set(led)

    async def _note(self, db: Connection) -> None:
        ours = [lane for lane in self._lanes.values() if lane.led]
        known = {lane.shard: (lane.done, lane.place) for lane in ours if lane.place}
        await shard.note(db, self._me, known)
        for number, count, age_s in await shard.behind(db, {one.shard: one.done for one in ours}):
            metrics.unpublished.labels(self._service, number).set(count)
            metrics.oldest_unpublished_s.labels(self._service, number).set(age_s)

    # Sequencing: the database alone, also while the broker is away

    async def _sequence(self, db: Connection, stop: asyncio.Event) -> None:
        idle_s = POLL_MIN_S
        while not stop.is_set():
            self._woken.clear()
            ours = [lane.shard for lane in self._lanes.values() if lane.led and lane.agreed]
            fresh = await self._number(db, ours) if ours else {}
            for number in fresh:
                self._lanes[number].fresh.set()
            idle_s = POLL_MIN_S if fresh else min(idle_s * 1.5, POLL_MAX_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), idle_s)

    async def _number(self, db: Connection, shards: list[int]) -> dict[int, int]:
        crash.point("before-window")
        try:
            fresh = await ledger.sequence(db, shards)
        except errors.UniqueViolation:
            return {}  # another relay numbered these facts; ours saw nothing of it yet
        if fresh:
            crash.point("after-window")
            metrics.window_rows.labels(self._service).observe(sum(fresh.values()))
        return fresh

    # Publishing: the stream follows the numbering

    async def _broadcast(self, db: Connection, stop: asyncio.Event) -> None:
        backoff = Backoff()
        while not stop.is_set():
            try:
                await alone(self._connected(db, stop, backoff))
            except* (NatsError, Refused, OSError, TimeoutError) as trouble:
                log.warning("broker of %s is away: %r", self._service, trouble.exceptions)
            await backoff.pause(stop)

    async def _connected(self, db: Connection, stop: asyncio.Event, backoff: Backoff) -> None:
        async with connect(self._nats_url, self._wake_lanes) as nats:
            stream = Stream(nats, self._service)
            await stream.ensure(len(self._lanes), self._replicas)
            backoff.reset()
            async with asyncio.TaskGroup() as group:
                for lane in self._lanes.values():
                    group.create_task(self._follow(lane, stream, db, stop))

    def _wake_lanes(self) -> None:
        for lane in self._lanes.values():
            lane.fresh.set()

    async def _follow(
        self, lane: Lane, stream: Stream, db: Connection, stop: asyncio.Event
    ) -> None:
        """Publish one shard while the connection lives; compare again after every trouble."""
        reason, backoff = "start", Backoff()
        while not stop.is_set():
            lane.fresh.clear()
            if not lane.led:
                reason = "lease"
                await lane.fresh.wait()
                _check(stream.nats)
                continue
            try:
                if reason:
                    await self._recover(lane, stream, db, reason)
                    reason = ""
                await self._drain(lane, stream, db)
                backoff.reset()
                await lane.fresh.wait()
            except Diverged as why:
                await self._halt(lane, db, str(why))
                reason = "diverged"
                await pause(stop, HALTED_RETRY_S)
            except (Refused, TimeoutError) as no:
                reason = "timeout"
                if isinstance(no, Refused):
                    reason = str(no.code)
                    if no.code == WRONG_SEQUENCE:
                        metrics.cas_conflicts.labels(self._service, lane.shard).inc()
                log.info("shard %d of %s recovers: %s", lane.shard, self._service, no)
                await backoff.pause(stop)
            _check(stream.nats)

    async def _drain(self, lane: Lane, stream: Stream, db: Connection) -> None:
        """Publish everything that is numbered, reading one batch ahead."""
        entries = await ledger.read(db, lane.shard, lane.done)
        while entries and lane.led:
            ahead = asyncio.create_task(ledger.read(db, lane.shard, entries[-1].seq))
            try:
                await self._append(lane, stream, entries)
            finally:
                entries = await ahead

    async def _append(self, lane: Lane, stream: Stream, entries: list[Entry]) -> None:
        contexts = [tracing.context(entry.headers) for entry in entries[: tracing.LINKS_MAX]]
        with tracing.sending(self._service, lane.shard, len(entries), contexts):
            place = await stream.append(entries, lane.shard, lane.place)
        crash.point("after-publish")
        lane.done, lane.place = entries[-1].seq, place
        metrics.published.labels(self._service, lane.shard).inc(len(entries))

    async def _recover(self, lane: Lane, stream: Stream, db: Connection, reason: str) -> None:
        """Learn from the stream's leader what it has, and check that the ledger says the same."""
        assert self._here
        metrics.recoveries.labels(self._service, lane.shard, reason).inc()
        lane.done, lane.place = await compare(db, stream, lane.shard, self._here)
        await shard.know(db, lane.shard, self._here)
        lane.agreed = True
        metrics.halted.labels(self._service, lane.shard).set(0)
        self._woken.set()

    async def _halt(self, lane: Lane, db: Connection, why: str) -> None:
        lane.agreed = False  # a number handed out now might be one the stream already knows
        metrics.halted.labels(self._service, lane.shard).set(1)
        log.critical("DIVERGED: shard %d of %s: %s", lane.shard, self._service, why)
        await shard.halt(db, lane.shard, why)


def _check(nats: Client) -> None:
    """Leave the loop when the connection is gone."""
    if nats.is_closed:
        raise ConnectionResetError("the broker closed the connection")
