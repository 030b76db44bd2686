"""What can be done with purchases: start one, and believe a provider that it was paid."""

import logging
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from hazina import idempotency, ids, outbox
from hazina.auth import Caller, StepUpRequired
from hazina.auth.caller import FRESH_S
from hazina.outbox import Event
from hazina.pg import SERVICE, Database, Transaction
from hazina.problems import Problem, Unavailable
from ledger.account import actions as accounts
from ledger.account.rules import Account, Counted, Purpose, of_user
from ledger.posting import actions as posting
from ledger.posting.actions import Book, attempt_of
from ledger.posting.rules import Posting, Receipt, Refusal, What, legs, of_our_own
from ledger.providers import stripe
from ledger.providers.notices import Fact, Notice
from ledger.providers.rails import Rails
from ledger.purchase import rules, store
from ledger.purchase.events import (
    PurchaseChargedBack,
    PurchaseConfirmed,
    PurchaseRefunded,
    PurchaseReinstated,
)
from ledger.purchase.rules import (
    Clawback,
    ProviderUnavailable,
    Purchase,
    PurchaseUnknown,
    Reason,
    Status,
    Step,
)

log = logging.getLogger(__name__)

LOOK_WAIT = timedelta(seconds=30)  # between two questions to a provider about one payment
EXPIRE_ROWS = 100
LOOK_ROWS = 20
SECOND_FACTOR = 2

LOSSES = {
    Fact.REFUNDED: What.REFUND,
    Fact.DISPUTED: What.CHARGEBACK,
    Fact.DISPUTE_CLOSED: What.REINSTATEMENT,
}
EVENTS: dict[What, type[PurchaseRefunded | PurchaseChargedBack | PurchaseReinstated]] = {
    What.REFUND: PurchaseRefunded,
    What.CHARGEBACK: PurchaseChargedBack,
    What.REINSTATEMENT: PurchaseReinstated,
}


async def start(
    db: Database,
    rails: Rails,
    caller: Caller,
    *,
    package_id: UUID,
    currency: str,
    provider: str,
    asked: idempotency.Attempt,
) -> Purchase:
    """Begin to buy a package, once per key; the purchase waits for the provider's word.

    Raises `PackageUnknown`, `NoPrice`, `StepUpRequired`, `ProviderUnavailable`. When the provider
    does not answer the purchase is kept, and the same key goes on with it.
    """
    async with db.transaction(SERVICE) as tx:
        id = ids.new()
        claimed = await posting.claim_in(tx, attempt_of(asked), id)
        if claimed != id:
            asked.replay()
            purchase = await store.read_purchase(tx, claimed)
        else:
            package = await store.find_package(tx, package_id)
            purchase = rules.start(
                package,
                currency=currency,
                provider=provider,
                profile_id=caller.require_user(),
                id=id,
                now=asked.at,
            )
            assert package is not None
            if rules.is_large(package, rails.review_from_usd_cents) and caller.aal < SECOND_FACTOR:
                raise StepUpRequired(required_aal=SECOND_FACTOR, max_age_s=FRESH_S)
            await store.add_purchase(tx, purchase)
    if purchase.status is Status.PENDING and purchase.provider_token is None:
        purchase = await _ask_provider(db, rails, purchase)
    return purchase


async def receive(db: Database, rails: Rails, notice: Notice, raw: bytes, now: datetime) -> bool:
    """Take a notification that was verified, in one transaction; tell whether it was a duplicate.

    Any number of deliveries, in any order and at once, count a payment once.
    """
    async with db.transaction(SERVICE) as tx:
        if not await store.add_event(tx, notice, raw):
            return True
        purchase = await store.lock_purchase(
            tx, id=notice.purchase_id, payment_id=notice.payment_id
        )
        if purchase is None or notice.fact is Fact.OTHER:
            await store.set_event(tx, notice, "ignored")
            return False
        match notice.fact:
            case Fact.PAID:
                step = await _pay(tx, rails, purchase, notice, now)
            case Fact.FAILED:
                step = await _fail(tx, purchase)
            case _:
                step = await _lose(tx, purchase, notice)
        await store.set_event(tx, notice, "parked" if step is Step.PARK else "done")
        if step is not Step.PARK:
            await _take_up_parked(tx, purchase.id, notice)
        return step is Step.NOTHING


async def expire(db: Database, now: datetime) -> int:
    """Give up purchases that nobody paid within a day; tell how many."""
    async with db.transaction(SERVICE) as tx:
        return await store.expire(tx, now, limit=EXPIRE_ROWS)


async def list_due_looks(db: Database, now: datetime) -> list[UUID]:
    """List large purchases whose payment we have not seen with our own eyes yet."""
    async with db.reading(SERVICE) as tx:
        return list(await store.list_due_looks(tx, now, limit=LOOK_ROWS))


async def look(db: Database, rails: Rails, id: UUID, now: datetime) -> bool:
    """Ask the provider itself whether a large payment is real, and confirm if so; tell if so."""
    async with db.reading(SERVICE) as tx:
        purchase = await store.read_purchase(tx, id)
    assert purchase.provider_payment_id is not None, "a second look follows a payment"
    found = await rails.stripe.find_payment(purchase.provider_payment_id)
    agrees = found.paid and (found.amount, found.currency) == (purchase.amount, purchase.currency)
    async with db.transaction(SERVICE) as tx:
        held = await store.lock_purchase(tx, id=id, payment_id=None)
        if held is None or (held.status, held.reason) != (Status.REVIEW, Reason.SECOND_LOOK):
            return False
        if not agrees:
            await store.put_off(tx, id, now + LOOK_WAIT)
            return False
        event_id = f"look:{found.payment_id}"
        await _confirm(tx, held, payment_id=found.payment_id, event_id=event_id)
        about = Notice(held.provider, event_id, "look", Fact.PAID, found.payment_id)
        await _take_up_parked(tx, id, about)
    return True


async def resolve(
    db: Database,
    book: Book,
    *,
    id: UUID,
    confirm: bool,
    reason: str,
    by: UUID | None,
    asked: idempotency.Attempt,
) -> Purchase:
    """Decide about a purchase in review, once per key: it becomes coins, or failed for good.

    Money of a purchase that failed stays in suspense until somebody gives it back.
    Raises `PurchaseUnknown`, `WrongState`, and as its buyer stands `AccountFrozen`.
    """
    attempt = attempt_of(asked)
    try:
        async with db.transaction(SERVICE) as tx:
            purchase = await store.lock_purchase(tx, id=id, payment_id=None)
            if purchase is None:
                raise PurchaseUnknown
            claim = ids.new()
            if await posting.claim_in(tx, attempt, claim) == claim:
                await _resolve(tx, purchase, confirm=confirm)
                about = {"purchase_id": str(id), "confirm": confirm, "reason": reason}
                log.info("purchase resolved", extra=about | {"by": str(by)})
            else:
                asked.replay()
            return await store.read_purchase(tx, id)
    except Problem as problem:
        await book.refuse(attempt, problem)
        raise


async def _resolve(tx: Transaction, purchase: Purchase, *, confirm: bool) -> None:
    rules.resolve(purchase)
    payment_id = purchase.provider_payment_id
    assert payment_id is not None, "what is reviewed was paid"
    if not confirm:
        await store.set_status(tx, purchase.id, Status.FAILED, reason=Reason.DECLINED)
        return
    event_id = f"resolve:{payment_id}"
    placed = rules.placing(purchase, await store.list_in_suspense(tx, purchase.id))
    refusal = await _give(
        tx, purchase, placed, transition="resolve", payment_id=payment_id, event_id=event_id
    )
    if refusal is not None:
        raise refusal.problem()
    about = Notice(purchase.provider, event_id, "resolve", Fact.PAID, payment_id)
    await _take_up_parked(tx, purchase.id, about)


async def _ask_provider(db: Database, rails: Rails, purchase: Purchase) -> Purchase:
    """Have the provider wait for the payment, outside of any transaction."""
    try:
        intent = await rails.stripe.create_intent(purchase.id, purchase.amount, purchase.currency)
    except Unavailable as trouble:
        raise ProviderUnavailable(retry_after_s=5) from trouble
    async with db.transaction(SERVICE) as tx:
        await store.set_intent(tx, purchase.id, intent)
        return await store.read_purchase(tx, purchase.id)


async def _pay(
    tx: Transaction, rails: Rails, purchase: Purchase, notice: Notice, now: datetime
) -> Step:
    assert notice.payment_id is not None, "what was paid has an id"
    package = await store.find_package(tx, purchase.package_id)
    large = package is None or rules.is_large(package, rails.review_from_usd_cents)

    step = rules.after_payment(purchase, notice, large=large)

    match step:
        case Step.CONFIRM:
            await _confirm(tx, purchase, payment_id=notice.payment_id, event_id=notice.event_id)
        case Step.REVIEW_AGAIN:
            await store.set_status(
                tx,
                purchase.id,
                Status.REVIEW,
                reason=Reason.SECOND_LOOK,
                payment_id=notice.payment_id,
                look_at=now,
            )
        case Step.REVIEW_AMOUNT:
            paid = (notice.amount, notice.currency)
            await _review(tx, purchase, notice.payment_id, paid, Reason.AMOUNT_MISMATCH)
    return step


async def _fail(tx: Transaction, purchase: Purchase) -> Step:
    step = rules.after_cancel(purchase)
    if step is Step.FAIL:
        await store.set_status(tx, purchase.id, Status.FAILED, reason=Reason.CANCELED)
    return step


async def _take_up_parked(tx: Transaction, id: UUID, about: Notice) -> None:
    """Apply what came before its time, now that something has changed."""
    assert about.payment_id is not None, "what is parked is about a payment"
    progress = True
    while progress:
        progress = False
        for raw in await store.list_parked(tx, about.provider, about.payment_id):
            notice = stripe.read(raw)
            purchase = await store.read_purchase(tx, id)
            if notice.fact is Fact.PAID or await _lose(tx, purchase, notice) is Step.PARK:
                continue
            await store.set_event(tx, notice, "done")
            progress = True


async def _lose(tx: Transaction, purchase: Purchase, notice: Notice) -> Step:
    """Take coins back for money that went back, or give them again when it came again."""
    after = rules.after_loss(purchase, notice)
    if after is None:
        return Step.PARK
    assets = await accounts.list_assets_in(tx)
    named = [account for account in rules.accounts(purchase) if account.asset in assets]
    await accounts.ensure_in(tx, named)
    held = await posting.lock_in(tx, named)
    purse, owed, *_ = (account.id for account in rules.accounts(purchase))

    taken = rules.clawback(purchase, after, available=held[purse], debt=-held[owed])

    moves = [move for move in rules.taking(purchase, taken) if move[0].asset in assets]
    what = LOSSES[notice.fact]
    if any(amount for _, amount in moves):
        transition = f"{notice.fact}:{notice.thing_id}:{after.lost_amount}"
        answer = await _post(
            tx, purchase, notice.payment_id or "", transition, moves, what=what, force=True
        )
        assert isinstance(answer, Receipt), "what was given can be taken, and the reverse"
        if answer.replayed:
            return Step.NOTHING
        await outbox.publish(tx, _lost(after, taken, answer, what))
    after = replace(
        after,
        clawed_coins=purchase.clawed_coins + taken.coins,
        debt_coins=purchase.debt_coins + taken.debt,
    )
    await store.set_loss(tx, after)
    return Step.NOTHING if after == purchase else Step.CONFIRM


async def _confirm(tx: Transaction, purchase: Purchase, *, payment_id: str, event_id: str) -> None:
    """Turn a payment into coins, or review it when its buyer may not have them."""
    refusal = await _give(
        tx, purchase, (), transition="confirm", payment_id=payment_id, event_id=event_id
    )
    if refusal is not None:
        paid = (purchase.amount, purchase.currency)
        await _review(tx, purchase, payment_id, paid, Reason.ACCOUNT_FROZEN)


async def _give(
    tx: Transaction,
    purchase: Purchase,
    placed: Collection[tuple[Account, int]],
    *,
    transition: str,
    payment_id: str,
    event_id: str,
) -> Refusal | None:
    """Give the coins of a payment: debt first, then the buyer's purse; or say why not."""
    assets = await accounts.list_assets_in(tx)
    # Coins follow the product: money of a currency that nobody can hold here is not booked.
    every = {*rules.accounts(purchase), *(account for account, _ in placed)}
    named = [account for account in every if account.asset in assets]
    debt_account = of_user(purchase.profile_id, Purpose.DEBT)
    await accounts.ensure_in(tx, [a for a in named if a != debt_account])
    available = await posting.lock_in(tx, named)
    debt = -available.get(debt_account.id, 0)

    wanted = (*rules.confirmation(purchase, debt), *placed)
    moves = [move for move in wanted if move[0].asset in assets]
    answer = await _post(tx, purchase, payment_id, transition, moves)
    if isinstance(answer, Refusal):
        return answer

    await store.set_confirmed(
        tx,
        purchase.id,
        payment_id=payment_id,
        event_id=event_id,
        transaction_id=answer.id,
        at=answer.created_at,
    )
    await accounts.count_in(tx, [Counted(purchase.profile_id, purchased=purchase.coins)])
    await outbox.publish(tx, _confirmed(purchase, answer, rules.debt_repaid(purchase, debt)))
    return None


async def _review(
    tx: Transaction, purchase: Purchase, payment_id: str, paid: tuple[int, str], reason: Reason
) -> None:
    """Keep a payment that cannot become coins where somebody will look at it."""
    amount, currency = paid
    if amount > 0 and currency in await accounts.list_assets_in(tx):
        moves = rules.suspense(purchase.provider, amount, currency)
        await accounts.ensure_in(tx, [account for account, _ in moves])
        answer = await _post(tx, purchase, payment_id, "review", moves)
        assert isinstance(answer, Receipt), "the platform's own accounts have room"
    await store.set_status(tx, purchase.id, Status.REVIEW, reason=reason, payment_id=payment_id)


async def _post(
    tx: Transaction,
    purchase: Purchase,
    payment_id: str,
    transition: str,
    moves: Iterable[tuple[Account, int]],
    *,
    what: What = What.PURCHASE,
    force: bool = False,
) -> Receipt | Refusal:
    return await posting.post_in(
        tx,
        Posting(
            id=ids.new(),
            attempt=of_our_own(purchase.provider, payment_id, transition),
            what=what,
            legs=legs(moves),
            reference=str(purchase.id),
            force=force,
        ),
    )


def _confirmed(purchase: Purchase, receipt: Receipt, debt_repaid: int) -> PurchaseConfirmed:
    return PurchaseConfirmed(
        purchase_id=purchase.id,
        user_id=purchase.profile_id,
        provider=purchase.provider,
        package_id=purchase.package_id,
        coin_amount=purchase.coin_amount,
        bonus_coins=purchase.bonus_coins,
        amount=purchase.amount,
        currency=purchase.currency,
        debt_repaid=debt_repaid,
        transaction_id=receipt.id,
    )


def _lost(purchase: Purchase, taken: Clawback, receipt: Receipt, what: What) -> Event:
    told = EVENTS[what]
    return told(
        purchase_id=purchase.id,
        user_id=purchase.profile_id,
        coin_amount=abs(taken.coins),
        amount=abs(taken.money),
        currency=purchase.currency,
        debt_coins=abs(taken.debt),
        whole=purchase.lost_amount in {0, purchase.amount},
        transaction_id=receipt.id,
    )
