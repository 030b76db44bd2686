"""What can be done with the book: post alone, post among many, join a transaction, refuse."""

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar
from uuid import UUID

import psycopg
from opentelemetry import context
from opentelemetry.context import Context
from sqlalchemy.exc import DBAPIError

from hazina import idempotency, ids
from hazina.idempotency import KeyReused
from hazina.pg import SERVICE, Database, Transaction
from hazina.problems import Problem, Unavailable
from ledger.account.rules import Account
from ledger.posting import rules, store
from ledger.posting.rules import Answer, Attempt, Busy, Fee, Posting, Receipt, Refusal, Taken

QUEUE_MAX = 20_000  # postings that may wait
BATCH_TRANSACTIONS_MAX = 1_000
BATCH_LEGS_MAX = 8_000
CONTENTION_TRIES_MAX = 3
RECONNECT_WITHIN_S = 30.0
RECONNECT_WAIT_S = 0.1

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Kept(Generic[Row]):
    """One accepted posting of a batch: what its capability keeps, and the request's own trace."""

    row: Row
    receipt: Receipt
    trace: Context


@dataclass(frozen=True, slots=True)
class Rows(Generic[Row]):
    """What a capability keeps of a posting, written in the posting's own transaction.

    `write` is called once a batch with every row whose posting was accepted, and publishes too.
    """

    write: Callable[[Transaction, Sequence[Kept[Row]]], Awaitable[None]]
    row: Row


@dataclass(slots=True, eq=False)
class _Waiting:
    posting: Posting
    rows: Rows[Any] | None
    trace: Context = field(default_factory=context.get_current)
    answer: "asyncio.Future[Answer]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


def attempt_of(asked: idempotency.Attempt) -> Attempt:
    """Give the attempt that a request's Idempotency-Key names."""
    return Attempt(asked.key, asked.fields)


async def post_in(tx: Transaction, posting: Posting) -> Receipt | Refusal:
    """Post inside `tx`, which must be the service's own, after its own rows are locked.

    A refusal is given, not raised: it stands for ever only if `tx` commits. Raises `KeyReused`.
    """
    (answer,) = await post_many_in(tx, [posting])
    return answer


async def post_many_in(tx: Transaction, postings: Sequence[Posting]) -> list[Receipt | Refusal]:
    """Post many inside `tx`, as `post_in` does one: a batch at most, no key twice."""
    assert len(postings) <= BATCH_TRANSACTIONS_MAX, "a batch has a size"
    answers: list[Receipt | Refusal] = []
    with _trouble_as_unavailable():
        told = await store.post_batch(await _driver(tx), postings) if postings else []
    for posting, answer in zip(postings, told, strict=True):
        if isinstance(answer, Taken):
            raise KeyReused(posting.attempt.difference(answer.request_hash))
        answers.append(answer)
    return answers


async def answered_in(tx: Transaction, attempt: Attempt) -> Receipt | None:
    """Give the receipt of an attempt that was posted before, or raise what it was told then.

    Ask after one's own row is locked: that lock is what the same attempt, twice at once, waits for.
    """
    answer = await store.find_answer(tx, attempt)
    return None if answer is None else _told(attempt, answer)


async def claim_in(tx: Transaction, attempt: Attempt, resource_id: UUID) -> UUID:
    """Claim an attempt for something that posts nothing yet; give what it made the first time.

    That is `resource_id` when nobody came before. Waits for one in flight. Raises `KeyReused`, or
    the problem that refused the first attempt.
    """
    if await store.claim_key(tx, attempt, resource_id):
        return resource_id
    answer = await store.find_claim(tx, attempt)
    if isinstance(answer, UUID):
        return answer
    _told(attempt, answer)
    raise AssertionError("a claim has no receipt")


async def lock_in(tx: Transaction, accounts: Iterable[Account]) -> dict[UUID, int]:
    """Lock the balances of a posting's accounts, and give what is available in each, by id.

    For who must read one to decide: name all accounts of the posting at once. Those that are not
    open yet are left out.
    """
    with _trouble_as_unavailable():
        return await store.lock_balances(tx, [account.id for account in accounts])


async def charge_in(tx: Transaction, fees: Sequence[Fee]) -> None:
    """Note what was taken of transactions, inside the transaction that posted them."""
    await store.add_fees(tx, fees)


class Book:
    """Turns single postings into batches without a timer.

    What queued while one batch was being written is the next batch: alone, a posting waits for
    nobody; in a crowd, a thousand share one commit. One batch is under way at a time.
    """

    def __init__(self, db: Database, *, reconnect_within_s: float = RECONNECT_WITHIN_S) -> None:
        """Take the service's database; nothing is connected before the first posting."""
        self._db = db
        self._reconnect_within_s = reconnect_within_s
        self._waiting: dict[UUID, _Waiting] = {}  # by key: in the queue or in the batch under way
        self._queue: deque[_Waiting] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def post(self, posting: Posting, rows: Rows[Any] | None = None) -> Receipt:
        """Post once per key, and give the receipt: the same one to every retry.

        Raises the problem that refused it (the same one to every retry), `KeyReused`, or `Busy`.
        A caller who stops waiting does not stop the posting.
        """
        attempt = posting.attempt
        waiting = self._waiting.get(attempt.key)
        if waiting is None:
            waiting = self._enqueue(_Waiting(posting, rows))
            return _told(attempt, await asyncio.shield(waiting.answer))
        asked_before = waiting.posting.attempt.request_hash
        if attempt.request_hash != asked_before:
            raise KeyReused(attempt.difference(asked_before))
        receipt = _told(attempt, await asyncio.shield(waiting.answer))
        return replace(receipt, replayed=True)

    async def refuse(self, attempt: Attempt, problem: Problem) -> Receipt:
        """Say no to an attempt, unless it was answered before: then that answer stands.

        A rule's no is stored and stands for ever; a request that made no sense burns no key.
        """
        refusal = Refusal(problem.code, problem.facts, replayed=False)
        async with self._db.transaction(SERVICE) as tx:
            if rules.stands_for_ever(problem):
                await store.burn_key(tx, attempt, ids.new(), refusal)
            answer = await store.find_answer(tx, attempt)
        if answer is None:
            raise problem
        return _told(attempt, answer)

    async def recall(self, attempt: Attempt) -> None:
        """Raise again what this attempt was refused for before, if it was."""
        async with self._db.reading(SERVICE) as tx:
            answer = await store.find_answer(tx, attempt)
        if answer is not None:
            _told(attempt, answer)

    async def close(self) -> None:
        """Finish what is queued and let the connection go."""
        if self._writer is not None:
            await self._writer
        await self._disconnect()

    def _enqueue(self, waiting: _Waiting) -> _Waiting:
        if len(self._queue) >= QUEUE_MAX:
            raise Busy(retry_after_s=1)
        self._waiting[waiting.posting.attempt.key] = waiting
        self._queue.append(waiting)
        if self._writer is None or self._writer.done():
            # In a context of its own: the batches belong to no single request's trace.
            apart = contextvars.Context()
            self._writer = asyncio.create_task(self._run(), name="book", context=apart)
        return waiting

    async def _run(self) -> None:
        while self._queue:
            batch = self._take()
            await self._settle(batch)
            for waiting in batch:
                del self._waiting[waiting.posting.attempt.key]

    def _take(self) -> list[_Waiting]:
        """Take the first and all that queued behind it, up to the size of a batch."""
        batch, legs = [self._queue.popleft()], 0
        while self._queue and len(batch) < BATCH_TRANSACTIONS_MAX:
            legs += len(batch[-1].posting.legs)
            if legs + len(self._queue[0].posting.legs) > BATCH_LEGS_MAX:
                break
            batch.append(self._queue.popleft())
        return batch

    async def _settle(self, batch: Sequence[_Waiting]) -> None:
        """Give every posting of the batch its answer, whatever happens to the others."""
        try:
            answers = await self._write_surely(batch)
        except Unavailable as trouble:
            for waiting in batch:
                _fail(waiting, trouble)
        except Exception as bug:
            if len(batch) == 1:
                _fail(batch[0], bug)
                return
            # Halve until the culprit stands alone: it gets a 500, the others are posted.
            middle = len(batch) // 2
            await self._settle(batch[:middle])
            await self._settle(batch[middle:])
        else:
            for waiting, answer in zip(batch, answers, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(answer)

    async def _write_surely(self, batch: Sequence[_Waiting]) -> list[Answer]:
        """Write the batch through contention and lost connections; its keys make that exact."""
        give_up_at = time.monotonic() + self._reconnect_within_s
        tries = 0
        while True:
            try:
                return await self._write(batch)
            except (psycopg.Error, DBAPIError, Unavailable) as trouble:
                if _is_contention(trouble):
                    tries += 1
                    if tries >= CONTENTION_TRIES_MAX:
                        raise Unavailable("too many at once") from trouble
                elif _is_lost(trouble):
                    await self._disconnect()
                    if time.monotonic() > give_up_at:
                        raise Unavailable("the database does not answer") from trouble
                    await asyncio.sleep(RECONNECT_WAIT_S)
                else:
                    raise

    async def _write(self, batch: Sequence[_Waiting]) -> list[Answer]:
        postings = [waiting.posting for waiting in batch]
        if all(waiting.rows is None for waiting in batch):
            return await store.post_batch(await self._connect(), postings)
        async with self._db.transaction(SERVICE) as tx:
            answers = await store.post_batch(await _driver(tx), postings)
            await _write_rows(tx, batch, answers)
        return answers

    async def _connect(self) -> "psycopg.AsyncConnection[Any]":
        if self._connection is None:
            self._connection = await self._db.connect()
            await self._connection.execute("select set_config('app.role', %s, false)", ["service"])
        return self._connection

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


async def _write_rows(
    tx: Transaction, batch: Sequence[_Waiting], answers: Sequence[Answer]
) -> None:
    """Hand each capability the rows of its postings that were accepted just now, together."""
    accepted: dict[Callable[..., Awaitable[None]], list[Kept[Any]]] = {}
    for waiting, answer in zip(batch, answers, strict=True):
        if waiting.rows and isinstance(answer, Receipt) and not answer.replayed:
            kept = Kept(waiting.rows.row, answer, waiting.trace)
            accepted.setdefault(waiting.rows.write, []).append(kept)
    for write, rows in accepted.items():
        await write(tx, rows)


async def _driver(tx: Transaction) -> "psycopg.AsyncConnection[Any]":
    raw = (await tx.get_raw_connection()).driver_connection
    assert isinstance(raw, psycopg.AsyncConnection)
    return raw


def _told(attempt: Attempt, answer: Answer) -> Receipt:
    """Give the receipt, or raise what the attempt is told instead."""
    if isinstance(answer, Taken):
        raise KeyReused(attempt.difference(answer.request_hash))
    if isinstance(answer, Refusal):
        raise answer.problem()
    return answer


@contextmanager
def _trouble_as_unavailable() -> Iterator[None]:
    """Tell the caller to come again; inside somebody's transaction nothing can be tried twice."""
    try:
        yield
    except (psycopg.Error, DBAPIError) as trouble:
        if _is_contention(trouble) or _is_lost(trouble):
            raise Unavailable("too many at once, or no database") from trouble
        raise


def _fail(waiting: _Waiting, trouble: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(trouble)


def _state(trouble: Exception) -> str | None:
    """Give PostgreSQL's own code of an error, whoever wrapped it."""
    return getattr(getattr(trouble, "orig", trouble), "sqlstate", None)


def _is_contention(trouble: Exception) -> bool:
    # Deadlock, serialisation, lock timeout.
    return _state(trouble) in {"40P01", "40001", "55P03"}


def _is_lost(trouble: Exception) -> bool:
    """Tell a connection that went away from a statement that was refused."""
    if isinstance(trouble, Unavailable):
        return True
    state = _state(trouble)
    # 08: connection; 53: out of connections, disk, memory; 57P: shutting down, starting up.
    lost = state is not None and (state[:2] in {"08", "53"} or state.startswith("57P"))
    cause = getattr(trouble, "orig", trouble)
    silent = state is None and isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
    return lost or silent
