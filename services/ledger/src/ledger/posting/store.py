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
from ledger.posting.rules import Answer, Attempt, Fee, Posting, Receipt, Refusal, Taken

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

ADD_FEES = text("""
    insert into transaction_fees
        (id, transaction_id, transaction_type, fee_type, fee_category, base_amount, fee_amount,
         fee_bps, currency, paid_by, platform_revenue, dao_id, dao_revenue, reverses)
    select uuidv7(), * from unnest(
        cast(:ids as uuid[]), cast(:whats as text[]), cast(:types as text[]),
        cast(:categories as text[]), cast(:bases as bigint[]), cast(:amounts as bigint[]),
        cast(:bps as int[]), cast(:currencies as text[]), cast(:paid_by as uuid[]),
        cast(:platform as bigint[]), cast(:dao_ids as uuid[]), cast(:dao as bigint[]),
        cast(:reverses as uuid[]))""")


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


async def claim_key(tx: Transaction, attempt: Attempt, resource_id: UUID) -> bool:
    """Store an attempt that posts nothing yet, unless its key is taken; tell if it was free."""
    return await _add_key(tx, attempt, resource_id, None)


async def burn_key(tx: Transaction, attempt: Attempt, id: UUID, refusal: Refusal) -> None:
    """Store a refusal under a key, unless the key is taken. Waits for one in flight."""
    await _add_key(tx, attempt, id, {"code": refusal.code, **refusal.facts})


async def find_claim(tx: Transaction, attempt: Attempt) -> UUID | Refusal | Taken:
    """Read what an attempt that was claimed before made, or was told."""
    row = (await tx.execute(text(FIND), {"key": attempt.key})).one()
    if row.request_hash != attempt.request_hash:
        return Taken(row.request_hash)
    if row.problem is not None:
        facts = dict(row.problem)
        return Refusal(facts.pop("code"), facts, replayed=True)
    made: UUID = row.resource_id
    return made


async def lock_balances(tx: Transaction, account_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Lock balances, sorted, and read what is available in each."""
    locked = text("select account_id, posted - held as available from lock_balances(:ids)")
    rows = await tx.execute(locked, {"ids": list(account_ids)})
    return {row.account_id: row.available for row in rows}


async def add_fees(tx: Transaction, fees: Sequence[Fee]) -> None:
    """Write what was taken of each transaction."""
    await tx.execute(
        ADD_FEES,
        {
            "ids": [fee.transaction_id for fee in fees],
            "whats": [fee.what.value for fee in fees],
            "types": [fee.fee_type for fee in fees],
            "categories": [fee.fee_category for fee in fees],
            "bases": [fee.base_amount for fee in fees],
            "amounts": [fee.fee_amount for fee in fees],
            "bps": [fee.fee_bps for fee in fees],
            "currencies": [fee.currency for fee in fees],
            "paid_by": [fee.paid_by for fee in fees],
            "platform": [fee.platform_revenue for fee in fees],
            "dao_ids": [fee.dao_id for fee in fees],
            "dao": [fee.dao_revenue for fee in fees],
            "reverses": [fee.reverses for fee in fees],
        },
    )


async def _add_key(
    tx: Transaction, attempt: Attempt, resource_id: UUID, problem: dict[str, Any] | None
) -> bool:
    added = await tx.execute(
        text(
            """insert into idempotency (key, request_hash, resource_id, problem)
               values (:key, :hash, :id, :problem) on conflict do nothing returning key"""
        ),
        {
            "key": attempt.key,
            "hash": attempt.request_hash,
            "id": resource_id,
            "problem": None if problem is None else Jsonb(problem),
        },
    )
    return added.one_or_none() is not None


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
