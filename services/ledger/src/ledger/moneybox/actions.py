"""What can be done with moneyboxes: open, fill, empty; credit a commission that fills one."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from hazina import idempotency, ids, outbox
from hazina.pg import SERVICE, Database, Transaction
from hazina.problems import Problem
from ledger.account import actions as accounts
from ledger.account.actions import Directory
from ledger.account.rules import Purpose, of_platform, of_user
from ledger.moneybox import rules, store
from ledger.moneybox.events import (
    CommissionCredited,
    MoneyboxLiquidated,
    MoneyboxMatured,
    MoneyboxOpened,
    MoneyboxSwept,
    MoneyboxWithdrawn,
)
from ledger.moneybox.rules import (
    AlreadyCredited,
    AlreadyOpen,
    Commission,
    Line,
    Moneybox,
    MoneyboxUnknown,
    Moved,
    Movement,
    Order,
    Withdrawal,
)
from ledger.posting import actions as posting
from ledger.posting.actions import Book, attempt_of
from ledger.posting.rules import Attempt, Fee, Leg, Posting, Receipt, Refusal, What, of_our_own

SWEEP_ROWS = 100

log = logging.getLogger(__name__)


async def open(
    db: Database,
    book: Book,
    directory: Directory,
    *,
    user_id: UUID,
    tier: int,
    asset: str,
    autosave_percent: int,
    asked: idempotency.Attempt,
) -> Moneybox:
    """Open a moneybox on a tier's terms, once per key.

    Raises `AssetNotAllowed`, `TierUnknown`, `TierNotForRole`, `OwnerUnknown`, `AlreadyOpen`.
    """
    attempt, id = attempt_of(asked), ids.new()
    assets = await directory.assets()
    try:
        async with db.transaction(SERVICE) as tx:
            first = await posting.claim_in(tx, attempt, id)
            if first == id:
                box = rules.open(
                    user_id,
                    await store.find_role(tx, user_id) or "",
                    await store.find_tier(tx, tier),
                    asset=assets.get(asset),
                    autosave_percent=autosave_percent,
                    id=id,
                    now=asked.at,
                )
                await _open_accounts(tx, box)
                if not await store.add_moneybox(tx, box):
                    raise AlreadyOpen
                await outbox.publish(tx, _opened(box))
                return box
    except Problem as problem:
        first = (await book.refuse(attempt, problem)).id
    asked.replay()
    async with db.reading(SERVICE) as tx:
        return rules.as_opened(await store.read_moneybox(tx, first), autosave_percent)


async def change(
    db: Database, *, user_id: UUID, id: UUID, autosave_percent: int, now: datetime
) -> Moneybox:
    """Let a moneybox take another part of each commission from now on.

    Raises `MoneyboxUnknown`, `MoneyboxNotOpen`.
    """
    async with db.transaction(SERVICE) as tx:
        box = await _lock_own(tx, user_id, id)
        rules.require_saving(box, now)
        changed = replace(box, autosave_percent=autosave_percent)
        await store.set_moneybox(tx, changed)
    return changed


async def deposit(
    db: Database, book: Book, *, user_id: UUID, id: UUID, amount: int, asked: idempotency.Attempt
) -> Moved:
    """Put money into a moneybox, once per key.

    Raises `MoneyboxUnknown`, `MoneyboxNotOpen`, `AccountFrozen`, `InsufficientFunds`.
    """

    async def put(tx: Transaction, attempt: Attempt) -> Receipt:
        box = await _lock_own(tx, user_id, id)
        rules.require_saving(box, asked.at)
        fuller = rules.put(box, amount, asked.at)
        receipt = await _post(tx, What.MONEYBOX_DEPOSIT, rules.depositing(box, amount), attempt)
        if not receipt.replayed:
            line = _line(fuller, Movement.DEPOSIT, amount, receipt.id, asked.at)
            await _write(tx, fuller, [line])
        return receipt

    return await _moved(db, book, asked, put)


async def withdraw(
    db: Database,
    book: Book,
    *,
    user_id: UUID,
    id: UUID,
    amount: int | None,
    asked: idempotency.Attempt,
) -> Moved:
    """Take money out of a moneybox, all if no amount is named, once per key.

    Raises `MoneyboxUnknown`, `MoneyboxNotOpen`, `AccountFrozen`, `InsufficientFunds`.
    """

    async def take(tx: Transaction, attempt: Attempt) -> Receipt:
        box = await _lock_own(tx, user_id, id)
        rules.require_open(box)
        out = rules.withdraw(box, amount, asked.at)
        legs = rules.withdrawing(box, out)
        receipt = await _post(tx, What.MONEYBOX_WITHDRAWAL, legs, attempt)
        if not receipt.replayed:
            emptier = rules.taken(box, out, asked.at)
            await _write(tx, emptier, _out(emptier, out, receipt.id, asked.at))
            await posting.charge_in(tx, _fees(box, out, receipt.id))
            await outbox.publish(tx, _withdrawn(emptier, out))
        return receipt

    # A transaction of its own, for two postings of one would lock balances out of order. What
    # keeps the bonus out, a freeze, keeps the withdrawal in.
    with suppress(Problem):
        await _mature(db, id, asked.at)
    return await _moved(db, book, asked, take)


async def credit(
    db: Database, book: Book, directory: Directory, *, order: Order, asked: idempotency.Attempt
) -> Commission:
    """Credit a commission, once per key and per source; its earner's moneybox takes its part.

    Raises `AssetUnknown`, `AssetNotTransferable`, `SameAccount`, `OwnerUnknown`,
    `AlreadyCredited`, `AccountFrozen`, `InsufficientFunds`.
    """
    attempt = attempt_of(asked)
    try:
        rules.require_payable(order, await directory.assets())
        await directory.ensure(order.payer, of_user(order.user_id, asset=order.currency))
        async with db.transaction(SERVICE) as tx:
            receipt = await _credit(tx, order, attempt, asked.at)
    except Problem as problem:
        receipt = await book.refuse(attempt, problem)
    if receipt.replayed:
        asked.replay()
    async with db.reading(SERVICE) as tx:
        return await store.read_commission(tx, receipt.id)


async def mature(db: Database, now: datetime) -> int:
    """Pay the bonus of moneyboxes whose time is over; tell how many were paid."""
    async with db.reading(SERVICE) as tx:
        due = await store.list_due(tx, now, limit=SWEEP_ROWS)
    return sum([await _alone(id, _mature(db, id, now)) for id in due])


async def liquidate(db: Database, now: datetime) -> int:
    """Empty the moneyboxes of who is banned, erased or suspended too long; tell how many."""
    async with db.reading(SERVICE) as tx:
        gone = await store.list_of_gone(tx, now - rules.SUSPENSION_LASTS, limit=SWEEP_ROWS)
    return sum([await _alone(id, _liquidate(db, id, now)) for id in gone])


async def _credit(tx: Transaction, order: Order, attempt: Attempt, now: datetime) -> Receipt:
    # The box first: whoever changes its percent, or empties it, is before us or after us.
    box = await store.lock_open_of(tx, order.user_id)
    frozen = box is not None and bool(await store.read_flags(tx, box.account.id))
    part = rules.swept(box, order, frozen=frozen, now=now)
    made = rules.credit(order, box, part, id=ids.new(), now=now)
    if not await store.add_commission(tx, made):
        before = await store.find_commission_of(
            tx, order.source_type, order.source_id, order.user_id
        )
        raise AlreadyCredited(id=str(before))
    legs = rules.crediting(order, box, part)
    receipt = await _post(tx, What.COMMISSION, legs, attempt, id=made.id)
    if box is not None and part:
        fuller = rules.put(box, part, now)
        line = _line(fuller, Movement.AUTOSAVE, part, made.id, now)
        await _write(tx, fuller, [line])
        await outbox.publish(tx, _swept(fuller, made))
    await outbox.publish(tx, _credited(made))
    return receipt


async def _mature(db: Database, id: UUID, now: datetime) -> bool:
    """Let a moneybox be mature if its time is over; tell whether it was."""
    async with db.transaction(SERVICE) as tx:
        box = await store.lock_moneybox(tx, id)
        if not rules.is_due(box, now):
            return False
        riper = rules.mature(box)
        lines = []
        if box.projected_bonus:
            attempt = of_our_own("maturity", id)
            receipt = await _post(tx, What.MONEYBOX_BONUS, rules.maturing(box), attempt)
            lines = [_line(riper, Movement.BONUS, box.projected_bonus, receipt.id, now)]
        await _write(tx, riper, lines)
        await outbox.publish(tx, _matured(riper, box))
    return True


async def _liquidate(db: Database, id: UUID, now: datetime) -> bool:
    """Empty a moneybox if its owner may not have one any more; tell whether it was."""
    async with db.transaction(SERVICE) as tx:
        box = await store.lock_moneybox(tx, id)
        cause = rules.liquidation_cause(*await store.read_standing(tx, box.user_id), now)
        if cause is None or box.status not in rules.OPEN:
            return False
        emptied = rules.liquidate(box)
        lines = []
        if box.balance:
            attempt, legs = of_our_own("liquidate", id), rules.liquidating(box)
            what = What.MONEYBOX_LIQUIDATION
            receipt = await _post(tx, what, legs, attempt, force=True)
            lines = [_line(emptied, Movement.LIQUIDATION, -box.balance, receipt.id, now)]
        await _write(tx, emptied, lines)
        await outbox.publish(tx, _liquidated(emptied, box, cause))
    return True


async def _alone(id: UUID, work: Awaitable[bool]) -> bool:
    """Let one moneybox that cannot be served now not keep the others waiting."""
    try:
        return await work
    except Problem as problem:
        log.warning("moneybox %s waits: %s", id, problem.code)
        return False


async def _moved(
    db: Database,
    book: Book,
    asked: idempotency.Attempt,
    move: Callable[[Transaction, Attempt], Awaitable[Receipt]],
) -> Moved:
    """Move money in or out in one transaction, once per key, and tell it as it was then."""
    attempt = attempt_of(asked)
    try:
        async with db.transaction(SERVICE) as tx:
            receipt = await move(tx, attempt)
    except Problem as problem:
        receipt = await book.refuse(attempt, problem)
    if receipt.replayed:
        asked.replay()
    async with db.reading(SERVICE) as tx:
        lines = await store.list_lines_of(tx, receipt.id)
        box = await store.read_moneybox(tx, lines[0].moneybox_id)
    return rules.moved(box, lines)


async def _lock_own(tx: Transaction, user_id: UUID, id: UUID) -> Moneybox:
    box = await store.lock_moneybox(tx, id)
    if box.user_id != user_id:
        raise MoneyboxUnknown
    return box


async def _open_accounts(tx: Transaction, box: Moneybox) -> None:
    platforms = (of_platform(p, box.asset) for p in (Purpose.BONUS, Purpose.REVENUE))
    await accounts.ensure_in(tx, [box.account, box.purse, *platforms])


async def _post(
    tx: Transaction,
    what: What,
    legs: tuple[Leg, ...],
    attempt: Attempt,
    *,
    id: UUID | None = None,
    force: bool = False,
) -> Receipt:
    """Post, or raise what the book refuses it for, so that nothing else is kept either."""
    plan = Posting(id or ids.new(), attempt, what, legs, force=force)
    answer = await posting.post_in(tx, plan)
    if isinstance(answer, Refusal):
        raise answer.problem()
    return answer


async def _write(tx: Transaction, box: Moneybox, lines: Sequence[Line]) -> None:
    await store.set_moneybox(tx, box)
    if lines:
        await store.add_lines(tx, lines)


def _line(box: Moneybox, type: Movement, amount: int, transaction_id: UUID, now: datetime) -> Line:
    return Line(ids.new(), box.id, type, amount, transaction_id, now, rules.noted(box))


def _out(box: Moneybox, out: Withdrawal, transaction_id: UUID, now: datetime) -> list[Line]:
    parts = ((Movement.PENALTY, -out.penalty), (Movement.WITHDRAWAL, -out.net))
    return [_line(box, type, part, transaction_id, now) for type, part in parts if part]


def _fees(box: Moneybox, out: Withdrawal, transaction_id: UUID) -> list[Fee]:
    if not out.penalty:
        return []
    return [
        Fee(
            transaction_id=transaction_id,
            what=What.MONEYBOX_WITHDRAWAL,
            fee_type="early_withdrawal",
            fee_category="moneybox",
            base_amount=out.amount,
            fee_bps=out.penalty_bps,
            platform_revenue=out.penalty,
            currency=box.asset,
            paid_by=box.user_id,
        )
    ]


def _opened(box: Moneybox) -> MoneyboxOpened:
    return MoneyboxOpened(
        moneybox_id=box.id,
        user_id=box.user_id,
        asset=box.asset,
        balance=box.balance,
        tier=box.tier,
        autosave_percent=box.autosave_percent,
        lock_days=box.lock_days,
    )


def _credited(made: Commission) -> CommissionCredited:
    return CommissionCredited(
        commission_id=made.id,
        user_id=made.user_id,
        amount=made.amount,
        currency=made.currency,
        autosaved_amount=made.autosaved_amount,
        moneybox_id=made.moneybox_id,
        source_type=made.source_type,
        source_id=made.source_id,
        transaction_id=made.transaction_id,
    )


def _swept(box: Moneybox, made: Commission) -> MoneyboxSwept:
    return MoneyboxSwept(
        moneybox_id=box.id,
        user_id=box.user_id,
        asset=box.asset,
        balance=box.balance,
        amount=made.autosaved_amount,
        commission_id=made.id,
    )


def _matured(box: Moneybox, before: Moneybox) -> MoneyboxMatured:
    return MoneyboxMatured(
        moneybox_id=box.id,
        user_id=box.user_id,
        asset=box.asset,
        balance=box.balance,
        principal=before.balance,
        bonus=before.projected_bonus,
    )


def _withdrawn(box: Moneybox, out: Withdrawal) -> MoneyboxWithdrawn:
    return MoneyboxWithdrawn(
        moneybox_id=box.id,
        user_id=box.user_id,
        asset=box.asset,
        balance=box.balance,
        amount=out.amount,
        penalty=out.penalty,
        closed=box.status is rules.Status.WITHDRAWN,
    )


def _liquidated(box: Moneybox, before: Moneybox, cause: str) -> MoneyboxLiquidated:
    return MoneyboxLiquidated(
        moneybox_id=box.id,
        user_id=box.user_id,
        asset=box.asset,
        balance=box.balance,
        amount=before.balance,
        cause=cause,
    )
