"""The book's SQL. Everything that writes money is one call of one function."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import text

from hazina.pg import Transaction
from ledger.posting.rules import Answer, Attempt, Posting, Receipt, Refusal, Taken

# Up to here the generic plan is the quicker one; measured, and flat around it.
SMALL_BATCH_MAX = 24

CALL = """select n, resource_id, is_new, other_hash, problem, created_at,
                 account_ids, amounts, seqs, balances_after
          from {face}(%s::uuid[], %s::uuid[], %s::bytea[], %s::text[], %s::bool[], %s::text[],
                      %s::jsonb[], %s::uuid[], %s::uuid[],
                      %s::uuid[], %s::int[], %s::int[], %s::bigint[], %s::bigint[])"""
SMALL = CALL.format(face="post_small_batch")
LARGE = CALL.format(face="post_batch")

FIND = """
    select i.request_hash, i.resource_id, i.problem, t.created_at,
           t.account_ids, t.amounts, t.seqs, t.balances_after
    from idempotency i left join transaction t on t.id = i.resource_id
    where i.key = :key"""


async def post_batch(
    connection: "psycopg.AsyncConnection[Any]", postings: Sequence[Posting]
) -> list[Answer]:
    """Write a batch in one round trip, and give each posting's answer in order.

    The connection must speak as the service. No two postings may share a key.
    """
    call = SMALL if len(postings) <= SMALL_BATCH_MAX else LARGE
    cursor = await connection.execute(call, _arguments(postings), prepare=True, binary=True)
    rows = sorted(await cursor.fetchall())
    assert len(rows) == len(postings), "every posting is answered"
    return [_answer(*row[1:]) for row in rows]


async def find_answer(tx: Transaction, attempt: Attempt) -> Answer | None:
    """Read what an attempt was told, if it came before."""
    row = (await tx.execute(text(FIND), {"key": attempt.key})).one_or_none()
    if row is None:
        return None
    other = row.request_hash if row.request_hash != attempt.request_hash else None
    return _answer(row.resource_id, False, other, *row[2:])


async def burn_key(tx: Transaction, attempt: Attempt, resource_id: UUID, refusal: Refusal) -> bool:
    """Store a refusal under a key, unless the key is taken. Tell whether it was free."""
    burnt = await tx.execute(
        text(
            """insert into idempotency (key, request_hash, resource_id, problem)
               values (:key, :hash, :id, :problem) on conflict do nothing"""
        ),
        {
            "key": attempt.key,
            "hash": attempt.request_hash,
            "id": resource_id,
            "problem": Jsonb({"code": refusal.code, **refusal.facts}),
        },
    )
    return burnt.rowcount == 1


def _answer(
    id: UUID,
    is_new: bool,
    other_hash: bytes | None,
    problem: dict[str, Any] | None,
    created_at: datetime,
    *columns: Sequence[Any] | None,
) -> Answer:
    if other_hash is not None:
        return Taken(other_hash)
    if problem is not None:
        facts = dict(problem)
        return Refusal(facts.pop("code"), facts, replayed=not is_new)
    account_ids, amounts, seqs, balances_after = (tuple(column or ()) for column in columns)
    return Receipt(id, created_at, account_ids, amounts, seqs, balances_after, replayed=not is_new)


def _arguments(postings: Sequence[Posting]) -> tuple[str, ...]:
    """Spell a batch as array literals: the driver's own way costs more than the posting does."""
    slots: dict[UUID, int] = {}
    l_tx, l_slot, l_amt, l_hold = [], [], [], []
    for n, posting in enumerate(postings, 1):
        for leg in posting.legs:
            l_tx.append(n)
            l_slot.append(slots.setdefault(leg.account.id, len(slots) + 1))
            l_amt.append(leg.amount)
            l_hold.append(leg.hold)
    return (
        _plain(p.id for p in postings),
        _plain(p.attempt.key for p in postings),
        _plain(f'"\\\\x{p.attempt.request_hash.hex()}"' for p in postings),
        _plain(p.what for p in postings),
        _plain(p.force for p in postings),
        _quoted(p.reference for p in postings),
        _quoted(json.dumps(p.metadata) if p.metadata else "{}" for p in postings),
        _plain(p.actor_id or "null" for p in postings),
        _plain(p.reverses or "null" for p in postings),
        _plain(slots),
        _plain(l_tx),
        _plain(l_slot),
        _plain(l_amt),
        _plain(l_hold),
    )


def _plain(values: Iterable[object]) -> str:
    return f"{{{','.join(map(str, values))}}}"


def _quoted(values: Iterable[str | None]) -> str:
    return _plain(
        "null" if value is None else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for value in values
    )
