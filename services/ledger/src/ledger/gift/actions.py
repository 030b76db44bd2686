"""What can be done with gifts: send one."""

from collections.abc import Sequence
from uuid import UUID

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
    of_user,
)
from ledger.gift import rules, store
from ledger.gift.events import GiftSent
from ledger.gift.rules import Gift, Given, RecipientUnavailable, RecipientUnknown, Wish
from ledger.posting import actions as posting
from ledger.posting.actions import Book, Kept, Rows, attempt_of
from ledger.posting.rules import Fee, Posting, Receipt, What, legs


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
