"""What can be done with transfers: make one, make many, take one back."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from hazina import idempotency, ids
from hazina.auth import Forbidden
from hazina.pg import SERVICE, Database
from hazina.pg import Transaction as Tx
from hazina.problems import Kind, Problem
from ledger.account import actions as accounts
from ledger.account.actions import Directory
from ledger.account.rules import Asset, Mover
from ledger.posting import rules as posting
from ledger.posting.actions import (
    BATCH_TRANSACTIONS_MAX,
    Book,
    attempt_of,
    lock_in,
    post_in,
    post_many_in,
)
from ledger.posting.rules import Attempt, Leg, Posting, Receipt, Refusal, What
from ledger.transfer import rules, store
from ledger.transfer.rules import BatchRefused, Line, Order, Outcome, Transaction


async def transfer(
    book: Book, directory: Directory, mover: Mover, order: Order, *, asked: idempotency.Attempt
) -> Transaction:
    """Move money from one account to another, once per key.

    Raises `SameAccount`, `AssetUnknown`, `AssetNotTransferable`, `Forbidden`, `OwnerUnknown`, and
    per leg `AccountClosed`, `AccountFrozen`, `InsufficientFunds`, `LimitExceeded`.
    """
    attempt = attempt_of(asked)
    try:
        rules.transfer(mover, order, await directory.assets())
        if not rules.may_move(mover, order):
            raise Forbidden
        await directory.ensure(order.payer, order.payee)
    except Problem as problem:
        receipt = await book.refuse(attempt, problem)
    else:
        receipt = await book.post(_plan(mover, order, attempt))
    if receipt.replayed:
        asked.replay()
    return _seen(receipt, mover, order)


async def reverse(
    db: Database, book: Book, *, id: UUID, reason: str, asked: idempotency.Attempt
) -> Transaction:
    """Take a transaction back, once: the same legs the other way, through freezes, never floors.

    Raises `TransactionUnknown`, `NotReversible`, `AlreadyReversed`, `InsufficientFunds`.
    """
    attempt = attempt_of(asked)
    try:
        async with db.transaction(SERVICE) as tx:
            taken_back = await store.lock_reversal(tx, id)
            done = await store.read_transaction(tx, id)
            rules.reverse(done, taken_back)
            named = await accounts.names_in(tx, [leg.account_id for leg in done.legs])
            plan = Posting(
                id=ids.new(),
                attempt=attempt,
                what=What.REVERSAL,
                legs=tuple(Leg(named[leg.account_id], -leg.amount) for leg in done.legs),
                reference=done.reference,
                metadata={"reason": reason},
                force=True,
                reverses=id,
            )
            answer = await post_in(tx, plan)
        if isinstance(answer, Refusal):
            raise answer.problem()
    except Problem as problem:
        answer = await book.refuse(attempt, problem)
        asked.replay()
    async with db.reading(SERVICE) as tx:
        return await store.read_transaction(tx, answer.id)


async def transfer_many(
    book: Book,
    directory: Directory,
    mover: Mover,
    orders: Sequence[tuple[Order | Problem, Attempt]],
) -> list[Outcome]:
    """Make each of many transfers that can be made, in their order, once per key of each.

    Asked again it goes on where it was: what was made is answered, not made again.
    """
    outcomes: list[Outcome] = []
    for begin in range(0, len(orders), BATCH_TRANSACTIONS_MAX):
        chunk = orders[begin : begin + BATCH_TRANSACTIONS_MAX]
        plans = await _plans(directory, mover, chunk)
        outcomes += await asyncio.gather(*(_outcome(book, plan) for plan in plans))
    return outcomes


async def transfer_all(
    db: Database,
    book: Book,
    directory: Directory,
    *,
    mover: Mover,
    orders: Sequence[tuple[Order | Problem, Attempt]],
    asked: idempotency.Attempt,
) -> list[Outcome]:
    """Make all of many transfers in one transaction, or none. Raises `BatchRefused`."""
    whole = attempt_of(asked)
    await book.recall(whole)
    plans = await _plans(directory, mover, orders)
    try:
        async with db.transaction(SERVICE) as tx:
            answers: list[Receipt | Refusal] = []
            if len(plans) > BATCH_TRANSACTIONS_MAX:
                await _lock_all(tx, plans)
            for begin in range(0, len(plans), BATCH_TRANSACTIONS_MAX):
                chunk = plans[begin : begin + BATCH_TRANSACTIONS_MAX]
                _require_all_sound(chunk, begin)
                sound = [plan for plan in chunk if isinstance(plan, Posting)]
                answers += _require_all_posted(await post_many_in(tx, sound), begin)
    except BatchRefused as problem:
        await book.refuse(whole, problem)
        raise
    if any(answer.replayed for answer in answers):
        asked.replay()
    return [Outcome(answer.id) for answer in answers if isinstance(answer, Receipt)]


async def _lock_all(tx: Tx, plans: Sequence[Posting | Problem]) -> None:
    """Lock at once what several batches will move: each sorts its own only."""
    sound = [plan for plan in plans if isinstance(plan, Posting)]
    await lock_in(tx, {leg.account for plan in sound for leg in plan.legs})


def _require_all_sound(plans: Sequence[Posting | Problem], begin: int) -> None:
    for index, plan in enumerate(plans, begin):
        if isinstance(plan, Problem):
            raise BatchRefused(index=index, refused=plan.code)


def _require_all_posted(
    answers: Sequence[Receipt | Refusal], begin: int
) -> Sequence[Receipt | Refusal]:
    for index, answer in enumerate(answers, begin):
        if isinstance(answer, Refusal):
            raise BatchRefused(index=index, refused=answer.code)
    return answers


async def _plans(
    directory: Directory, mover: Mover, orders: Sequence[tuple[Order | Problem, Attempt]]
) -> list[Posting | Problem]:
    """Decide each transfer, and open what accounts they need, all at once."""
    assets = await directory.assets()
    named = [
        account
        for order, _ in orders
        if isinstance(order, Order) and rules.may_move(mover, order)
        for account in (order.payer, order.payee)
        if order.payer.asset in assets
    ]
    unknown = await directory.open(named)
    return [_decided(mover, order, attempt, assets, unknown) for order, attempt in orders]


def _decided(
    mover: Mover,
    order: Order | Problem,
    attempt: Attempt,
    assets: Mapping[str, Asset],
    unknown: Mapping[UUID, Problem],
) -> Posting | Problem:
    if isinstance(order, Problem):
        return order
    try:
        rules.transfer(mover, order, assets)
    except Problem as problem:
        return problem
    if not rules.may_move(mover, order):
        return Forbidden()
    missing = unknown.get(order.payer.id) or unknown.get(order.payee.id)
    return missing or _plan(mover, order, attempt)


async def _outcome(book: Book, plan: Posting | Problem) -> Outcome:
    try:
        if isinstance(plan, Problem):
            raise plan
        return Outcome((await book.post(plan)).id)
    except Problem as problem:
        if problem.kind is Kind.UNAVAILABLE:
            raise
        return Outcome(code=problem.code, facts=problem.facts)


def _plan(mover: Mover, order: Order, attempt: Attempt) -> Posting:
    return Posting(
        id=ids.new(),
        attempt=attempt,
        what=What.TRANSFER,
        legs=posting.legs(((order.payer, -order.amount), (order.payee, order.amount))),
        actor_id=mover.user_id,
        reference=order.reference,
        metadata=order.metadata,
    )


def _seen(receipt: Receipt, mover: Mover, order: Order) -> Transaction:
    """Show a receipt as far as the mover may see it."""
    readable: set[UUID] = {
        account.id for account in (order.payer, order.payee) if mover.may_read(account)
    }
    legs = zip(
        receipt.account_ids, receipt.amounts, receipt.balances_after, receipt.seqs, strict=True
    )
    return Transaction(
        id=receipt.id,
        kind=What.TRANSFER,
        asset=order.payer.asset,
        amount=order.amount,
        legs=tuple(
            Line(id, amount, *((after, seq) if id in readable else (None, None)))
            for id, amount, after, seq in legs
        ),
        reference=order.reference,
        metadata=order.metadata,
        reverses=None,
        created_at=receipt.created_at,
    )
