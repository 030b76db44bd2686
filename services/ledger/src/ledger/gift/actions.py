"""What can be done with gifts: send one, take one back."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from hazina import idempotency, ids, outbox
from hazina.money import BPS
from hazina.pg import SERVICE, Database, Transaction
from hazina.problems import Problem
from ledger.account import actions as accounts
from ledger.account.actions import Directory
from ledger.account.rules import (
    COIN,
    AccountClosed,
    AccountFrozen,
    Counted,
    OwnerUnknown,
    Purpose,
    of_user,
)
from ledger.gift import rules, store
from ledger.gift.events import GiftReversed, GiftSent
from ledger.gift.rules import (
    AlreadyReversed,
    Gift,
    Given,
    RecipientUnavailable,
    RecipientUnknown,
    Reversal,
    Wish,
)
from ledger.posting import actions as posting
from ledger.posting.actions import Book, Kept, Rows, attempt_of
from ledger.posting.rules import Attempt, Fee, Posting, Receipt, Refusal, What, legs


async def send(
    db: Database,
    book: Book,
    directory: Directory,
    *,
    sender_id: UUID,
    wish: Wish,
    asked: idempotency.Attempt,
) -> tuple[Given, int]:
    """Give a gift, once per key; also tells what coins it left to the sender.

    Raises `GiftToSelf`, `GiftTypeUnknown`, `GiftTypeInactive`, `RecipientUnknown`,
    `RecipientUnavailable`, `AccountFrozen`, `InsufficientFunds`.
    """
    attempt = attempt_of(asked)
    try:
        async with db.reading(SERVICE) as tx:
            type = await store.find_type(tx, wish.gift_type_id)
        gift = rules.give(sender_id, wish, type, id=ids.new())
        moves = rules.moves(gift)
        await _ensure(directory, gift)
    except Problem as problem:
        receipt = await book.refuse(attempt, problem)
        return await _again(db, receipt, asked)

    plan = Posting(gift.id, attempt, What.GIFT, legs(moves), actor_id=sender_id)
    try:
        receipt = await book.post(plan, Rows(keep, gift))
    except (AccountFrozen, AccountClosed) as problem:
        if problem.facts["account_id"] == str(rules.earnings(gift).id):
            raise RecipientUnavailable from problem
        raise
    if receipt.replayed:
        return await _again(db, receipt, asked)
    return rules.given(gift, receipt.created_at), receipt.balance_after(rules.purse(gift))


async def keep(tx: Transaction, kept: Sequence[Kept[Gift]]) -> None:
    """Write what belongs to gifts that were posted just now, and tell it, each in its own trace."""
    given = [rules.given(one.row, one.receipt.created_at) for one in kept]
    await store.add_gifts(tx, given)
    await posting.charge_in(tx, [_fee(one.row) for one in kept])
    await accounts.count_in(tx, [counted for one in given for counted in _counted(one)])
    await outbox.publish(tx, *(_sent(one) for one in given), contexts=[one.trace for one in kept])


async def reverse(
    db: Database,
    book: Book,
    *,
    gift_id: UUID,
    reason: str,
    absorb: bool,
    asked: idempotency.Attempt,
) -> Row[Any]:
    """Take a gift back, once; with `absorb` the platform bears what its recipient has spent.

    Raises `GiftUnknown`, `AlreadyReversed`, `EarningsSpent`.
    """
    attempt = attempt_of(asked)
    try:
        async with db.transaction(SERVICE) as tx:
            given = await store.lock_gift(tx, gift_id)
            receipt = await posting.answered_in(tx, attempt)
            if receipt is None:
                receipt = await _take_back(tx, given, attempt, reason=reason, absorb=absorb)
    except Problem as problem:
        receipt = await book.refuse(attempt, problem)
    if receipt.replayed:
        asked.replay()
    async with db.reading(SERVICE) as tx:
        return await store.read_reversal(tx, gift_id)


async def _take_back(
    tx: Transaction, given: Given, attempt: Attempt, *, reason: str, absorb: bool
) -> Receipt:
    if await store.is_reversed(tx, given.id):
        raise AlreadyReversed
    transaction_id = ids.new()
    probe = Reversal(given, transaction_id, reason, given.streamer_revenue)
    named = [account for account, _ in rules.moves_back(probe)]
    await accounts.ensure_in(tx, named)
    held = await posting.lock_in(tx, named)
    earned = of_user(given.recipient_id, Purpose.EARNINGS)

    made = rules.take_back(
        given,
        available=held[earned.id],
        absorb=absorb,
        reason=reason,
        transaction_id=transaction_id,
    )

    plan = Posting(
        id=transaction_id,
        attempt=attempt,
        what=What.GIFT_REVERSAL,
        legs=legs(rules.moves_back(made)),
        metadata={"reason": reason},
        force=True,
        reverses=given.transaction_id,
    )
    answer = await posting.post_in(tx, plan)
    if isinstance(answer, Refusal):
        raise answer.problem()
    await store.add_reversal(tx, made)
    await posting.charge_in(tx, [_fee_back(made)])
    await outbox.publish(tx, _reversed(made))
    return answer


def _fee_back(made: Reversal) -> Fee:
    return Fee(
        transaction_id=made.transaction_id,
        what=What.GIFT_REVERSAL,
        fee_type="platform_share",
        fee_category="gift",
        base_amount=-made.given.coin_amount,
        fee_bps=0,
        platform_revenue=-made.given.platform_revenue,
        currency=COIN,
        paid_by=made.given.sender_id,
        reverses=made.given.transaction_id,
    )


def _reversed(made: Reversal) -> GiftReversed:
    given = made.given
    return GiftReversed(
        gift_id=given.id,
        sender_id=given.sender_id,
        recipient_id=given.recipient_id,
        gift_type_id=given.gift_type_id,
        gift_type=given.gift_type,
        coin_amount=given.coin_amount,
        streamer_revenue=given.streamer_revenue,
        platform_revenue=given.platform_revenue,
        stream_id=given.stream_id,
        box_id=given.box_id,
        transaction_id=made.transaction_id,
        absorbed=made.absorbed,
    )


async def _ensure(directory: Directory, gift: Gift) -> None:
    try:
        await directory.ensure(*(account for account, _ in rules.moves(gift)))
    except OwnerUnknown as problem:
        if problem.facts["owner_id"] == str(gift.wish.recipient_id):
            raise RecipientUnknown from problem
        raise


async def _again(db: Database, receipt: Receipt, asked: idempotency.Attempt) -> tuple[Given, int]:
    """Give the first answer once more."""
    asked.replay()
    async with db.reading(SERVICE) as tx:
        given = await store.read_gift(tx, receipt.id)
    return given, receipt.balance_after(of_user(given.sender_id))


def _fee(gift: Gift) -> Fee:
    return Fee(
        transaction_id=gift.id,
        what=What.GIFT,
        fee_type="platform_share",
        fee_category="gift",
        base_amount=gift.split.coin_amount,
        fee_bps=BPS - gift.type.share_bps,
        platform_revenue=gift.split.platform_revenue,
        currency=COIN,
        paid_by=gift.sender_id,
    )


def _counted(given: Given) -> tuple[Counted, Counted]:
    coins = given.coin_amount
    return (
        Counted(given.sender_id, spent=coins, gifts_sent=coins),
        Counted(given.recipient_id, gifts_received=coins),
    )


def _sent(given: Given) -> GiftSent:
    return GiftSent(
        gift_id=given.id,
        sender_id=given.sender_id,
        recipient_id=given.recipient_id,
        gift_type_id=given.gift_type_id,
        gift_type=given.gift_type,
        quantity=given.quantity,
        coin_amount=given.coin_amount,
        streamer_revenue=given.streamer_revenue,
        platform_revenue=given.platform_revenue,
        stream_id=given.stream_id,
        box_id=given.box_id,
        combo_id=given.combo_id,
        sent_at=given.created_at,
        transaction_id=given.transaction_id,
    )
