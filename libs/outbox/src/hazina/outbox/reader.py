"""Following one shard of one source: its stream, and its ledger where the stream fails."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import httpx

from hazina.outbox import inbox, metrics, refill, tracing
from hazina.outbox.apply import Again, Applier, Gap, Source, Transient
from hazina.outbox.inbox import Cursor
from hazina.outbox.stream import Stream
from hazina.outbox.subscription import SILENT_S, Message, Subscription
from hazina.outbox.waiting import Backoff
from hazina.pg import SERVICE

log = logging.getLogger("hazina.outbox")

BATCH_MAX = 500
FROM_THE_START = 1

# Reads a page of a source's ledger: (source, shard, after) -> facts.
Page = Callable[[Source, int, int], Awaitable[list[Message]]]


class Reader:
    """Applies one shard of one source for as long as this listener holds its lease."""

    def __init__(self, applier: Applier, page: Page = refill.page) -> None:
        """Take what applies the facts; `page` reads the source's ledger."""
        self.held = False
        self.replaying = False
        self._applier = applier
        self._place = applier.place
        self._page = page
        self._gaps = 0  # since the last progress
        self._backoff = Backoff()
        self._changed = asyncio.Event()
        self._subscription: Subscription | None = None

    def look(self, *, held: bool, replaying: bool) -> None:
        """Hear from the listener whether the shard is ours, and whether there is to replay."""
        if (held, replaying) != (self.held, self.replaying):
            self.held, self.replaying = held, replaying
            self.wake()

    def wake(self) -> None:
        """See at once what has changed."""
        self._changed.set()
        if self._subscription:
            self._subscription.wake()

    async def run(self, stream: Stream, stop: asyncio.Event) -> None:
        """Follow the shard on one connection until it ends or `stop`."""
        start = 0
        while not stop.is_set():
            if not self.held:
                self._changed.clear()
                await self._changed.wait()
                _check(stream)
                continue
            cursor = await self._find()
            start = start or await self._start(stream, cursor)
            self._subscription = Subscription(stream, self._place.shard, self._place.consumer)
            try:
                await self._subscription.open(start)
                start = await self._follow(stream, self._subscription, cursor, stop)
            finally:
                await self._subscription.close()
                self._subscription = None

    async def _find(self) -> Cursor:
        with tracing.unseen():
            async with self._applier.db.reading(SERVICE) as tx:
                return await inbox.find(tx, self._place)

    async def _start(self, stream: Stream, cursor: Cursor) -> int:
        """Give the place after the cursor's, if the stream still holds there what it did."""
        if cursor.stream_seq:
            there = await stream.at(cursor.stream_seq)
            wanted = stream.subjects(self._place.shard).removesuffix(">")
            if there and there.seq == cursor.last_seq and there.subject.startswith(wanted):
                return cursor.stream_seq + 1
        return FROM_THE_START

    async def _follow(
        self, stream: Stream, subscription: Subscription, cursor: Cursor, stop: asyncio.Event
    ) -> int:
        """Apply what comes; give where to begin anew, 0 for behind the cursor."""
        waited = 0
        while self.held and not stop.is_set():
            messages = await subscription.take(BATCH_MAX, SILENT_S)
            _check(stream)
            if self.replaying:
                await self._replay()
            if messages:
                waited = 0
                try:
                    cursor = await self._apply(messages, cursor, stop)
                    self._check_whole(messages, cursor, stop)
                except Gap as gap:
                    return await self._bridge(gap, stop)
                continue
            if subscription.silent:
                log.warning("%s: the subscription fell silent", self._place)
                return 0
            # Nothing came, and perhaps nothing was said. If something was, it was written to
            # places we do not look at: the stream was rebuilt behind our back.
            before, cursor = cursor, await self._find()
            if cursor.last_seq != before.last_seq:
                return 0  # an operator moved it, or another listener
            last = await stream.last(self._place.shard)
            metrics.lag.labels(*self._place.labels).set(
                max(last.seq - cursor.last_seq, 0) if last else 0
            )
            if last and last.seq > cursor.last_seq:
                waited += 1
                if waited > 1:
                    return FROM_THE_START
        return 0

    async def _apply(
        self, messages: Sequence[Message], cursor: Cursor, stop: asyncio.Event
    ) -> Cursor:
        """Apply, as often as trouble asks for; order is kept because nothing overtakes."""
        while not stop.is_set() and self.held:
            try:
                cursor = await self._applier.apply(messages)
            except (Again, Transient) as trouble:
                metrics.retries.labels(*self._place.labels).inc()
                log.warning("%s: again: %s", self._place, trouble)
                await self._backoff.pause(stop)
            else:
                self._gaps = 0
                self._backoff.reset()
                return cursor
        return cursor

    def _check_whole(
        self, messages: Sequence[Message], cursor: Cursor, stop: asyncio.Event
    ) -> None:
        """Raise Gap when only the first of `messages` could be applied, up to a hole."""
        beyond = [message for message in messages if message.seq > cursor.last_seq]
        if beyond and self.held and not stop.is_set():
            raise Gap(cursor.last_seq, beyond[0])

    async def _bridge(self, gap: Gap, stop: asyncio.Event) -> int:
        """Look again in the stream once; if the fact is not there, read the source's ledger."""
        metrics.gaps.labels(*self._place.labels).inc()
        self._gaps += 1
        if self._gaps == 1:
            return 0
        log.warning("%s: %s; reading the ledger", self._place, gap)
        if await self._refill(gap, stop):
            return gap.stream_seq
        await self._backoff.pause(stop)
        return 0

    async def _refill(self, gap: Gap, stop: asyncio.Event) -> bool:
        """Apply from the ledger all that the stream lacks; tell whether the gap is closed."""
        source = self._applier.source
        if source.internal_url is None:
            log.error("%s: %s, and no internal_url to ask", self._place, gap)
            return False
        cursor = await self._find()
        while cursor.last_seq < gap.seq - 1 and not stop.is_set():
            try:
                messages = await self._page(source, self._place.shard, cursor.last_seq)
                if not messages:
                    return False
                before, cursor = cursor, await self._apply(messages, cursor, stop)
            except (httpx.HTTPError, Gap) as trouble:
                log.warning("%s: the ledger of the source does not help: %r", self._place, trouble)
                return False
            metrics.refilled.labels(*self._place.labels).inc(cursor.last_seq - before.last_seq)
        return cursor.last_seq >= gap.seq - 1

    async def _replay(self) -> None:
        self.replaying = False
        try:
            await self._applier.replay()
        except Exception as trouble:
            log.warning("%s: replay will be tried again: %r", self._place, trouble)


def _check(stream: Stream) -> None:
    """Leave the loop when the connection is gone."""
    if stream.nats.is_closed:
        raise ConnectionResetError("the broker closed the connection")
