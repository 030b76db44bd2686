"""Applying facts: the effect and the cursor move in one transaction, so each happens once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from time import time
from typing import Any, TypeAlias
from uuid import UUID

import psycopg
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from hazina.outbox import crash, inbox, metrics, tracing
from hazina.outbox.events import ConsumedEvent, Received
from hazina.outbox.inbox import Cursor, Place
from hazina.outbox.subscription import Message
from hazina.pg import SERVICE, Database, Transaction
from hazina.problems import Problem, Unavailable

log = logging.getLogger("hazina.outbox")

ATTEMPTS_MAX = 8
REPLAY_MAX = 100  # facts of the quarantine tried in one transaction
ERROR_MAX_CHARS = 2_000

Handler: TypeAlias = Callable[[Transaction, Sequence[Received[Any]]], Awaitable[None]]

# Serialisation, deadlock, lock timeout, cancelled; out of resources; shutting down; connection.
TRANSIENT = ("40", "53", "57", "08", "55P03")


@dataclass(frozen=True, slots=True)
class Source:
    """What a service hears from one other service, and what it does about it.

    A handler gets a run of consecutive facts of one type and writes only through its transaction.
    `internal_url` is where the other service's ledger is read when the stream lacks a fact; a
    password in it is sent as HTTP Basic.
    """

    service: str
    handlers: Mapping[type[ConsumedEvent], Handler]
    internal_url: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for event in self.handlers:
            assert event.__type__.split(".")[0] == self.service, f"{event.__type__}: wrong source"


class Gap(Exception):
    """The next fact is missing: `seq` came, at `place` of the stream, where it should have been."""

    def __init__(self, after: int, message: Message) -> None:
        super().__init__(f"{message.seq} came after {after}")
        self.after, self.seq, self.stream_seq = after, message.seq, message.stream_seq


class Again(Exception):
    """One fact failed in a way that may pass; everything before it is applied."""


class Transient(Exception):
    """Nothing was applied, and it is not the facts' fault."""


@dataclass(slots=True)
class Applier:
    """Applies one shard of one source to one consumer's database."""

    db: Database
    place: Place
    source: Source
    turns: asyncio.Semaphore  # how many transactions a listener has open at once
    _known: dict[str, tuple[type[ConsumedEvent], Handler]] = field(init=False)
    _attempts: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._known = {e.__type__: (e, handler) for e, handler in self.source.handlers.items()}

    async def apply(self, messages: Sequence[Message]) -> Cursor:
        """Apply what of `messages` is new, in order, and move the cursor; give the cursor.

        First all at once. When a handler fails, one by one: a fact that can never be applied is set
        aside with its key. Raises Gap, Again or Transient.
        """
        try:
            return await self._apply(messages, self._at_once)
        except (Gap, Transient):
            raise
        except Exception as trouble:
            if is_transient(trouble):
                raise Transient(repr(trouble)) from trouble
            log.info("%s: one by one after %r", self.place, trouble)
        try:
            return await self._apply(messages, self._one_by_one)
        except (Gap, Again, Transient):
            raise
        except Exception as trouble:
            raise Transient(repr(trouble)) from trouble

    async def replay(self) -> None:
        """Try again what an operator asked for, each key in its order."""
        with tracing.applying(self.place, REPLAY_MAX, []):
            async with self.turns, self.db.transaction(SERVICE) as tx:
                await inbox.lock(tx, self.place)
                await self._replay(tx, await inbox.replaying(tx, self.place, REPLAY_MAX))

    async def _replay(self, tx: Transaction, messages: Sequence[Message]) -> None:
        failed: set[str] = set()
        for message in messages:
            if message.key in failed:
                continue
            trouble = await self._try(tx, message)
            if trouble is None:
                await inbox.resolve(tx, self.place, message)
            elif is_transient(trouble):
                raise trouble
            else:
                failed.add(message.key)
                await inbox.fail(tx, self.place, message, _told(trouble))

    async def _apply(
        self,
        messages: Sequence[Message],
        work: Callable[[Transaction, Cursor, Sequence[Message]], Awaitable[Sequence[Message]]],
    ) -> Cursor:
        """Lock the cursor, work on what is new, move the cursor, commit."""
        stuck = False
        began = time()
        contexts = [tracing.context(m.headers) for m in messages[: tracing.LINKS_MAX]]
        with tracing.applying(self.place, len(messages), contexts):
            async with self.turns, self.db.transaction(SERVICE) as tx:
                cursor = await inbox.lock(tx, self.place)
                fresh = list(self._fresh(cursor, messages))
                if not fresh:
                    return cursor
                crash.point("before-apply")
                passed = await work(tx, cursor, fresh)
                stuck = len(passed) < len(fresh)
                if passed:
                    cursor = await inbox.move(tx, self.place, cursor, passed)
                crash.point("before-commit")
            crash.point("after-commit")
        self._measure(passed, began)
        if stuck:
            raise Again(f"fact {cursor.last_seq + 1} failed")
        return cursor

    def _fresh(self, cursor: Cursor, messages: Sequence[Message]) -> Iterator[Message]:
        """Yield what follows the cursor without a gap; raise Gap if that is nothing."""
        last = cursor.last_seq
        for message in messages:
            if message.seq <= last:
                metrics.duplicates.labels(*self.place.labels).inc()
                continue
            if message.seq != last + 1:
                if last == cursor.last_seq:
                    raise Gap(last, message)
                return
            last = message.seq
            yield message

    async def _at_once(
        self, tx: Transaction, cursor: Cursor, fresh: Sequence[Message]
    ) -> Sequence[Message]:
        """Hand each run of one type to its handler."""
        flowing = fresh
        if cursor.parked:
            flowing = [m for m in fresh if m.key not in cursor.parked]
            await self._park(tx, [m for m in fresh if m.key in cursor.parked])
        for type, run in groupby(flowing, key=lambda m: m.type):
            if type in self._known:
                await self._handle(tx, type, list(run))
        return fresh

    async def _one_by_one(
        self, tx: Transaction, cursor: Cursor, fresh: Sequence[Message]
    ) -> Sequence[Message]:
        """Hand over each fact alone; stop before one that may do better later."""
        parked = set(cursor.parked)
        for number, message in enumerate(fresh):
            if message.key in parked:
                await self._park(tx, [message])
                continue
            trouble = await self._try(tx, message)
            if trouble is None:
                self._attempts.pop(message.seq, None)
                continue
            if is_transient(trouble):
                raise Transient(_told(trouble)) from trouble
            attempts = self._attempts[message.seq] = self._attempts.get(message.seq, 0) + 1
            if not _is_poison(trouble) and attempts < ATTEMPTS_MAX:
                log.warning(
                    "%s: fact %d, attempt %d", self.place, message.seq, attempts, exc_info=trouble
                )
                return fresh[:number]
            del self._attempts[message.seq]
            parked.add(message.key)
            await self._quarantine(tx, message, attempts, trouble)
        return fresh

    async def _try(self, tx: Transaction, message: Message) -> Exception | None:
        """Handle one fact in a savepoint; give what went wrong, with nothing of it left behind."""
        if message.type not in self._known:
            return None
        try:
            async with tx.begin_nested():
                await self._handle(tx, message.type, [message])
        except Exception as trouble:
            return trouble
        return None

    async def _handle(self, tx: Transaction, type: str, run: Sequence[Message]) -> None:
        model, handler = self._known[type]
        facts = [self._received(model, message) for message in run]
        with tracing.processing(self.place, type, facts, run):
            await handler(tx, facts)

    def _received(self, model: type[ConsumedEvent], message: Message) -> Received[Any]:
        headers = message.headers
        version = headers.get("Hazina-Key-Version")
        return Received(
            event=model.model_validate_json(message.payload),
            id=UUID(headers["ce-id"]),
            type=message.type,
            source=self.place.source,
            shard=self.place.shard,
            seq=message.seq,
            key=message.key,
            key_version=int(version) if version else None,
            time=datetime.fromisoformat(headers["ce-time"]),
            trace=tracing.context(headers),
        )

    async def _park(self, tx: Transaction, messages: Sequence[Message]) -> None:
        if messages:
            await inbox.set_aside(tx, self.place, messages, "parked")
            metrics.quarantined.labels(*self.place.labels, "parked").inc(len(messages))

    async def _quarantine(
        self, tx: Transaction, message: Message, attempts: int, trouble: Exception
    ) -> None:
        log.error("%s: fact %d is poison", self.place, message.seq, exc_info=trouble)
        await inbox.set_aside(
            tx, self.place, [message], "poison", attempts=attempts, error=_told(trouble)
        )
        metrics.quarantined.labels(*self.place.labels, "poison").inc()

    def _measure(self, passed: Sequence[Message], began: float) -> None:
        now = time()
        metrics.applied.labels(*self.place.labels).inc(len(passed))
        metrics.apply_seconds.labels(self.place.consumer, self.place.source).observe(now - began)
        if passed:
            # One observation a transaction, of its oldest fact: the others waited less.
            written = datetime.fromisoformat(passed[0].headers["ce-time"]).timestamp()
            metrics.e2e_seconds.labels(self.place.consumer, self.place.source).observe(
                max(now - written, 0)
            )


def is_transient(trouble: Exception) -> bool:
    """Tell trouble below us from a fact that cannot be applied."""
    if isinstance(trouble, Unavailable | Transient | OSError | TimeoutError):
        return True
    cause = trouble.orig if isinstance(trouble, DBAPIError) else trouble
    if isinstance(cause, psycopg.Error):
        if cause.sqlstate is None:
            return isinstance(cause, psycopg.OperationalError)
        return cause.sqlstate.startswith(TRANSIENT)
    return False


def _is_poison(trouble: Exception) -> bool:
    """Tell a refusal, which trying again cannot change, from a bug, which may depend on luck."""
    return isinstance(trouble, ValidationError | Problem)


def _told(trouble: Exception) -> str:
    return repr(trouble)[:ERROR_MAX_CHARS]
