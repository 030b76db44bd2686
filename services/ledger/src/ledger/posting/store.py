"""The book's SQL. Everything that writes money is one call of one function."""

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import text

from hazina.pg import Transaction
from ledger.posting.rules import Answer, Attempt, Posting, Receipt, Refusal

# Up to here the generic plan is the quicker one; measured, and flat around it.
SMALL_BATCH_MAX = 24

CALL = """select n, resource_id, is_new, same, problem, created_at,
                 account_ids, amounts, seqs, balances_after
          from {face}(%s::uuid[], %s::uuid[], %s::bytea[], %s::text[], %s::bool[], %s::text[],
                      %s::jsonb[], %s::uuid[], %s::uuid[],
                      %s::uuid[], %s::int[], %s::int[], %s::bigint[], %s::bigint[])"""
SMALL = CALL.format(face="post_small_batch")
LARGE = CALL.format(face="post_batch")

FIND = """
    select i.request_hash, i.problem, t.id, t.created_at,
           t.account_ids, t.amounts, t.seqs, t.balances_after
    from idempotency i left join transaction t on t.id = i.resource_id
    where i.key = :key"""


async def post_batch(
    connection: "psycopg.AsyncConnection[Any]", postings: Sequence[Posting]
) -> list[Answer | None]:
    """Write a batch in one round trip. None: its key was used before, for something else.

    The connection must speak as the service. No two postings may share a key.
    """
    call = SMALL if len(postings) <= SMALL_BATCH_MAX else LARGE
    cursor = await connection.execute(call, _arguments(postings), prepare=True, binary=True)
    answers: list[Answer | None] = [None] * len(postings)
    for row in await cursor.fetchall():
        n, _resource_id, is_new, same, problem, *receipt = row
        if same:
            answers[n - 1] = _answer(postings[n - 1].id, is_new, problem, _resource_id, receipt)
    return answers


async def find_answer(tx: Transaction, attempt: Attempt) -> tuple[bool, Answer] | None:
    """Read what an attempt was told, and whether it asked the same then."""
    row = (await tx.execute(text(FIND), {"key": attempt.key})).one_or_none()
    if row is None:
        return None
    same = bytes(row.request_hash) == attempt.request_hash
    return same, _answer(row.id, False, row.problem, row.id, row[3:])


async def burn_key(tx: Transaction, attempt: Attempt, resource_id: UUID, refusal: Refusal) -> bool:
    """Store a refusal under the attempt's key, unless the key is taken. Tell whether it was free."""
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
    problem: dict[str, Any] | None,
    resource_id: UUID,
    receipt: Sequence[Any],
) -> Answer:
    if problem is not None:
        facts = dict(problem)
        return Refusal(facts.pop("code"), facts, replayed=not is_new)
    created_at, *columns = receipt
    account_ids, amounts, seqs, balances_after = (tuple(column or ()) for column in columns)
    return Receipt(
        id if is_new else resource_id,
        created_at,
        account_ids,
        amounts,
        seqs,
        balances_after,
        replayed=not is_new,
    )


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
