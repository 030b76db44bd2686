"""The listener: hears what other services say and applies each fact exactly once."""

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import suppress

from hazina import ids
from hazina.outbox import inbox, tracing
from hazina.outbox.apply import Applier, Source
from hazina.outbox.broker import connect
from hazina.outbox.inbox import Place
from hazina.outbox.reader import Reader
from hazina.outbox.stream import NO_STREAM, Refused, Stream
from hazina.outbox.waiting import Backoff, alone, pause
from hazina.pg import SERVICE, Database

log = logging.getLogger("hazina.outbox")

KEEP_EVERY_S = 1  # leases, and what operators asked to replay
TRANSACTIONS_MAX = 4  # requests share the pool of connections with us
STREAM_WAIT_S = 0.25  # a source that never started has no stream yet


class Listener:
    """Reads every shard of every source. Any number of them may run; one reads a shard."""

    def __init__(
        self, db: Database, nats_url: str, consumer: str, sources: Sequence[Source]
    ) -> None:
        """Take the consumer's database, the broker, the consumer's name and what it hears."""
        self._db = db
        self._nats_url = nats_url
        self._consumer = consumer
        self._sources = sources
        self._me = f"{socket.gethostname()}:{os.getpid()}:{ids.new().hex[-8:]}"
        self._turns = asyncio.Semaphore(TRANSACTIONS_MAX)
        self._readers: dict[tuple[str, int], Reader] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until `stop`, through every trouble; finish the transaction at hand, hand over."""
        if not self._sources:
            await stop.wait()
            return
        backoff = Backoff()
        while not stop.is_set():
            try:
                await alone(self._session(stop, backoff))
            except* Exception as trouble:
                log.warning("listener %s starts again: %r", self._consumer, trouble.exceptions)
            await backoff.pause(stop)
        with tracing.unseen(), suppress(Exception):  # the lease runs out by itself
            async with self._db.transaction(SERVICE) as tx:
                await inbox.release(tx, self._consumer, self._me)

    async def _session(self, stop: asyncio.Event, backoff: Backoff) -> None:
        """Listen on one connection until it ends or `stop`."""
        self._readers = {}
        async with connect(self._nats_url, self._wake_all) as nats:
            backoff.reset()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._wake_at(stop))
                group.create_task(self._keep(stop))
                for source in self._sources:
                    group.create_task(self._hear(source, Stream(nats, source.service), stop))

    async def _hear(self, source: Source, stream: Stream, stop: asyncio.Event) -> None:
        """Follow every shard of one source, once it has a stream."""
        shards = await self._shards(stream, stop)
        if stop.is_set():
            return
        with tracing.unseen():
            async with self._db.transaction(SERVICE) as tx:
                await inbox.begin(tx, self._consumer, source.service, shards)
        async with asyncio.TaskGroup() as group:
            for shard in range(shards):
                place = Place(self._consumer, source.service, shard)
                reader = Reader(Applier(self._db, place, source, self._turns))
                self._readers[source.service, shard] = reader
                group.create_task(reader.run(stream, stop))
            await self._look()

    async def _shards(self, stream: Stream, stop: asyncio.Event) -> int:
        while not stop.is_set():
            try:
                return await stream.shards()
            except Refused as no:
                if no.code != NO_STREAM:
                    raise
            await pause(stop, STREAM_WAIT_S)
        return 0

    async def _keep(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._look()
            await pause(stop, KEEP_EVERY_S)

    async def _look(self) -> None:
        """Renew our leases and tell each reader whether its shard is ours."""
        with tracing.unseen():
            async with self._db.transaction(SERVICE) as tx:
                held = await inbox.lease(tx, self._consumer, self._me)
        for at, reader in self._readers.items():
            reader.look(held=at in held, replaying=held.get(at, False))

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake_all()

    def _wake_all(self) -> None:
        for reader in self._readers.values():
            reader.wake()
