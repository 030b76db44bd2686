"""Remembering answers: claimed, found and kept in the transaction that has the effect."""

from datetime import datetime, timedelta
from typing import Any, TypeVar

import psycopg
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter
from sqlalchemy import text

from hazina.idempotency.attempt import Attempt
from hazina.idempotency.fingerprint import first_difference
from hazina.idempotency.refusals import InFlight, KeyReused
from hazina.pg import SERVICE, Database, Transaction, after_commit

EXPIRE = """
delete from idempotency_answer where key in (
    select key from idempotency_answer where expires_at <= :now limit :rows)
"""
T = TypeVar("T")

WAIT_MS = 5_000  # how long a second attempt waits for the first
KEPT_FOR = timedelta(hours=24)  # where no money moved
EXPIRE_ROWS = 5_000  # forgotten at a time, so that no transaction grows long

# The lock is of the whole attempt, and ends with the transaction: the second one reads what the
# first committed, or finds the key free when the first rolled back or died.
LIMIT_WAIT = f"set local lock_timeout = {WAIT_MS}"
CLAIM = "select pg_advisory_xact_lock(%s)"
UNLIMIT = "set local lock_timeout to default"
FIND = """
select fields, answer from idempotency_answer
where key = %s and (expires_at is null or expires_at > %s)
"""
KEEP = """
insert into idempotency_answer (key, fields, answer, created_at, expires_at)
values (%s, %s, %s, %s, %s)
on conflict (key) do update set fields = excluded.fields, answer = excluded.answer,
    created_at = excluded.created_at, expires_at = excluded.expires_at
where idempotency_answer.expires_at <= excluded.created_at
"""


async def find(tx: Transaction, attempt: Attempt, kind: type[T]) -> T | None:
    """Claim the attempt for this transaction, or give what the first one made, as a `kind`.

    Waits while the first one is at work. Raises InFlight after five seconds, KeyReused when the
    same key comes with another request. Who was told None must `keep` before it commits.
    """
    if attempt.name is None:
        return None
    raw = await _raw(tx)
    lock = int.from_bytes(attempt.key.bytes[:8], signed=True)
    try:
        async with raw.pipeline():  # one round trip for all four
            await raw.execute(LIMIT_WAIT)
            await raw.execute(CLAIM, (lock,))
            await raw.execute(UNLIMIT)
            found = await raw.execute(FIND, (attempt.key, attempt.at))
    except psycopg.errors.LockNotAvailable as waited:
        raise InFlight from waited
    row = await found.fetchone()
    if row is None:
        after_commit(tx, lambda: _require_kept(attempt))
        return None
    differing = first_difference(row[0], attempt.fields)
    if differing is not None:
        raise KeyReused(differing)
    attempt.replay()
    answer: T = _adapter(kind).validate_json(row[1])
    return answer


async def keep(tx: Transaction, attempt: Attempt, made: object) -> None:
    """Remember what the attempt made, so that a repeated one is given the same.

    `made` is of the type that `find` was given, and holds no secret: it is stored as JSON.
    """
    if attempt.name is None:
        return
    until = None if attempt.permanent else attempt.at + KEPT_FOR
    answer = _adapter(type(made)).dump_json(made).decode()
    raw = await _raw(tx)
    written = await raw.execute(
        KEEP, (attempt.key, Jsonb(attempt.fields), answer, attempt.at, until)
    )
    assert written.rowcount == 1, "an attempt is kept once, by whom `find` told None"
    attempt.kept = True


async def expire(db: Database, now: datetime) -> int:
    """Forget answers whose day is over, a batch at a time; give how many."""
    async with db.transaction(SERVICE) as tx:
        gone = await tx.execute(text(EXPIRE), {"now": now, "rows": EXPIRE_ROWS})
    return gone.rowcount


async def _raw(tx: Transaction) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """Give the driver's own connection: the four statements of `find` travel together."""
    raw = (await tx.get_raw_connection()).driver_connection
    assert isinstance(raw, psycopg.AsyncConnection)
    return raw


def _require_kept(attempt: Attempt) -> None:
    assert attempt.kept, f"{attempt.route} committed without keeping what its attempt made"


def _adapter(kind: type) -> TypeAdapter[Any]:
    known = _ADAPTERS.get(kind)
    if known is None:
        known = _ADAPTERS[kind] = TypeAdapter(kind)
    return known


_ADAPTERS: dict[type, TypeAdapter[Any]] = {}  # building one takes a millisecond
