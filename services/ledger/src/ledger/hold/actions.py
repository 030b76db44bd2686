"""What can be done with holds: place, capture, void, and let expire."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from hazina import idempotency, ids
from hazina.auth import Forbidden
from hazina.pg import SERVICE, Database, Transaction
from hazina.problems import Problem
from ledger.account.actions import Directory
from ledger.account.rules import AccountClosed, Mover
from ledger.hold import rules, store
from ledger.hold.rules import Hold, HoldUnknown, Status
from ledger.posting import actions as posting
from ledger.posting.actions import Book, Kept, Rows, attempt_of
from ledger.posting.rules import Attempt, Leg, Posting, Receipt, Refusal, What, of_our_own
from ledger.transfer import rules as transfers
from ledger.transfer.rules import Order

log = logging.getLogger(__name__)

EXPIRE_ROWS = 100


async def place(
    db: Database,
    book: Book,
    directory: Directory,
    *,
    mover: Mover,
    order: Order,
    lasts: timedelta,
    asked: idempotency.Attempt,
) -> Hold:
    """Set an amount aside, once per key. Refuses what a transfer of it would be refused for."""
    attempt = attempt_of(asked)
    hold = rules.place(
        order.payer,
        order.payee,
        order.amount,
        lasts=lasts,
        now=asked.at,
        id=ids.new(),
        reference=order.reference,
    )
    try:
        transfers.transfer(mover, order, await directory.assets())
        if not transfers.may_move(mover, order):
            raise Forbidden
        await directory.ensure(order.payer, order.payee)
    except Problem as problem:
        receipt = await book.refuse(attempt, problem)
    else:
        plan = _plan(hold, hold.id, attempt, rules.placing(hold), actor_id=mover.user_id)
        receipt = await book.post(plan, Rows(keep, hold))
    if not receipt.replayed:
        return hold
    asked.replay()
    async with db.reading(SERVICE) as tx:
        return await store.read_hold(tx, receipt.id)


async def keep(tx: Transaction, kept: Sequence[Kept[Hold]]) -> None:
    """Write the holds whose money was set aside just now."""
    await store.add_holds(tx, [one.row for one in kept])


async def capture(
    db: Database,
    book: Book,
    *,
    mover: Mover,
    hold_id: UUID,
    amount: int | None,
    asked: idempotency.Attempt,
) -> Hold:
    """Move what was set aside, whole or in part, once; the rest is free again.

    Raises `HoldUnknown`, `AmountTooLarge`, `HoldExpired`, `HoldNotPending`, `AccountClosed`,
    `LimitExceeded`.
    """
    attempt = attempt_of(asked)
    try:
        async with db.transaction(SERVICE) as tx:
            hold = await _lock(tx, mover, hold_id)
            wanted = rules.capture(hold, amount, asked.at)
            legs = rules.capturing(hold, wanted)
            answer = await posting.post_in(tx, _plan(hold, ids.new(), attempt, legs))
            if isinstance(answer, Receipt):
                await store.set_ended(
                    tx, hold.id, Status.CAPTURED, captured=wanted, transaction_id=answer.id
                )
        if isinstance(answer, Refusal):
            raise answer.problem()
    except Problem as problem:
        await book.refuse(attempt, problem)
        asked.replay()
    return await read(db, mover, hold_id)


async def void(
    db: Database, book: Book, *, mover: Mover, hold_id: UUID, asked: idempotency.Attempt
) -> Hold:
    """Give back what was set aside.

    Raises `HoldUnknown`, `HoldExpired`, `HoldNotPending`, `AccountClosed`.
    """
    attempt = attempt_of(asked)
    try:
        async with db.transaction(SERVICE) as tx:
            hold = await _lock(tx, mover, hold_id)
            rules.require_pending(hold, asked.at)
            await _free(tx, hold, attempt, Status.VOIDED)
    except Problem as problem:
        await book.refuse(attempt, problem)
        asked.replay()
    return await read(db, mover, hold_id)


async def read(db: Database, mover: Mover, hold_id: UUID) -> Hold:
    """Read a hold for who may see either of its accounts. Raises `HoldUnknown`."""
    async with db.reading(SERVICE) as tx:
        hold = await store.read_hold(tx, hold_id)
    if not (mover.may_read(hold.payer) or mover.may_read(hold.payee)):
        raise HoldUnknown
    return hold


async def expire(db: Database, now: datetime) -> int:
    """Give back what was set aside and not captured in time; tell how many.

    A hold that cannot be freed, its account being closed, waits and stops no other.
    """
    freed = 0
    async with db.transaction(SERVICE) as tx:
        for hold in await store.lock_due(tx, now, limit=EXPIRE_ROWS):
            try:
                async with tx.begin_nested():  # a refusal burns no key of the next try
                    await _free(tx, hold, of_our_own("hold", hold.id, "expire"), Status.EXPIRED)
                freed += 1
            except AccountClosed as problem:
                log.warning("hold %s waits: %s", hold.id, problem.code)
    return freed


async def _lock(tx: Transaction, mover: Mover, hold_id: UUID) -> Hold:
    hold = await store.read_hold(tx, hold_id, lock=True)
    if not rules.may_end(mover, hold):
        raise HoldUnknown
    return hold


async def _free(tx: Transaction, hold: Hold, attempt: Attempt, status: Status) -> None:
    answer = await posting.post_in(tx, _plan(hold, ids.new(), attempt, rules.freeing(hold)))
    if isinstance(answer, Refusal):
        raise answer.problem()
    await store.set_ended(tx, hold.id, status)


def _plan(
    hold: Hold, id: UUID, attempt: Attempt, legs: tuple[Leg, ...], *, actor_id: UUID | None = None
) -> Posting:
    return Posting(
        id=id,
        attempt=attempt,
        what=What.HOLD_CAPTURE,
        legs=legs,
        actor_id=actor_id,
        reference=hold.reference,
        # A freeze stops new holds, and no capture of money that was set aside before it.
        force=any(leg.hold < 0 for leg in legs),
    )
