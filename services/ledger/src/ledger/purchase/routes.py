"""Packages and purchases over HTTP, and the notifications that providers send."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Request
from pydantic import Field

from hazina.auth import Forbidden, Signed, StepUpRequired
from hazina.chassis import Db, Now, Page, Paged, Wire, refuses
from hazina.idempotency import KeyedForGood
from ledger.account.rules import AccountFrozen
from ledger.asking import Reference
from ledger.parts import TheBook, TheRails
from ledger.providers import stripe
from ledger.providers.notices import SignatureInvalid, TimestampOutOfTolerance, WebhookMalformed
from ledger.purchase import actions, store
from ledger.purchase.rules import (
    NoPrice,
    PackageUnknown,
    ProviderUnavailable,
    Purchase,
    PurchaseUnknown,
    Status,
    WrongState,
)

router = APIRouter(prefix="/ledger/v1", tags=["purchase"])


class PackageRead(Wire):
    """Coins that are sold at once; prices in minor units, by currency."""

    id: UUID
    code: str
    name: str
    coin_amount: int
    bonus_coins: int
    apple_product_id: str | None
    google_product_id: str | None
    is_active: bool
    prices: dict[str, int]


class PurchaseCreate(Wire):
    """What to buy, and how to pay."""

    package_id: UUID
    provider: Literal["stripe"]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class ResolutionCreate(Wire):
    """Whether a payment that was reviewed becomes coins, and why."""

    confirm: bool
    reason: Reference


class StripeCheckout(Wire):
    """What Stripe's own form needs to take the payment."""

    payment_intent_id: str
    client_secret: str


class PurchaseRead(Wire):
    """A purchase, and how far it has come; `checkout` is there while it can be paid."""

    id: UUID
    status: Status
    reason: str | None
    provider: str
    package_id: UUID
    coin_amount: int
    bonus_coins: int
    amount: int
    currency: str
    refunded_amount: int
    clawed_coins: int
    checkout: StripeCheckout | None
    expires_at: datetime
    confirmed_at: datetime | None


class Received(Wire):
    """A notification was taken; `duplicate` says that it had been counted before."""

    received: Literal[True] = True
    duplicate: bool


def _shown(purchase: Purchase) -> PurchaseRead:
    checkout = None
    if (
        purchase.status is Status.PENDING
        and purchase.provider_token
        and (payment_id := purchase.provider_payment_id)
    ):
        checkout = StripeCheckout(
            payment_intent_id=payment_id, client_secret=purchase.provider_token
        )
    return PurchaseRead(
        id=purchase.id,
        status=purchase.status,
        reason=purchase.reason,
        provider=purchase.provider,
        package_id=purchase.package_id,
        coin_amount=purchase.coin_amount,
        bonus_coins=purchase.bonus_coins,
        amount=purchase.amount,
        currency=purchase.currency,
        refunded_amount=purchase.refunded_amount,
        clawed_coins=purchase.clawed_coins,
        checkout=checkout,
        expires_at=purchase.expires_at,
        confirmed_at=purchase.confirmed_at,
    )


@router.get("/packages")
async def list_packages(caller: Signed, db: Db, paging: Paged) -> Page[PackageRead]:
    """List the packages of coins that are sold, with their prices."""
    (after,) = paging.after(UUID) or (None,)
    async with db.reading(caller.actor) as tx:
        packages = await store.list_packages(tx, after=after, limit=paging.fetch)
    return paging.page(packages, key=lambda package: (package.id,), shape=PackageRead)


@router.post(
    "/purchases",
    status_code=201,
    responses=refuses(PackageUnknown, NoPrice, StepUpRequired, Forbidden, ProviderUnavailable),
)
async def post_purchase(
    ask: PurchaseCreate, caller: Signed, asked: KeyedForGood, db: Db, rails: TheRails
) -> PurchaseRead:
    """Begin to buy a package of coins; they come when the provider says that it was paid."""
    purchase = await actions.start(
        db,
        rails,
        caller,
        package_id=ask.package_id,
        currency=ask.currency,
        provider=ask.provider,
        asked=asked,
    )
    return _shown(purchase)


@router.get("/purchases")
async def list_purchases(caller: Signed, db: Db, paging: Paged) -> Page[PurchaseRead]:
    """List the caller's purchases, newest first."""
    (before,) = paging.after(UUID) or (None,)
    async with db.reading(caller.actor) as tx:
        purchases = await store.list_purchases(
            tx, caller.require_user(), before=before, limit=paging.fetch
        )
    return paging.page(
        [_shown(purchase) for purchase in purchases],
        key=lambda purchase: (purchase.id,),
        shape=PurchaseRead,
    )


@router.get("/purchases/{purchase_id}", responses=refuses(PurchaseUnknown))
async def get_purchase(purchase_id: UUID, caller: Signed, db: Db) -> PurchaseRead:
    """Show a purchase and how far it has come."""
    async with db.reading(caller.actor) as tx:
        return _shown(await store.read_purchase(tx, purchase_id))


@router.post(
    "/purchases/{purchase_id}/resolve",
    responses=refuses(Forbidden, StepUpRequired, PurchaseUnknown, WrongState, AccountFrozen),
)
async def post_resolution(
    purchase_id: UUID,
    ask: ResolutionCreate,
    caller: Signed,
    asked: KeyedForGood,
    db: Db,
    *,
    book: TheBook,
) -> PurchaseRead:
    """Decide about a purchase in review: staff's to do."""
    caller.require_staff()
    purchase = await actions.resolve(
        db,
        book,
        id=purchase_id,
        confirm=ask.confirm,
        reason=ask.reason,
        by=caller.user_id,
        asked=asked,
    )
    return _shown(purchase)


@router.post(
    "/webhooks/stripe",
    responses=refuses(WebhookMalformed, SignatureInvalid, TimestampOutOfTolerance),
)
async def post_stripe_webhook(
    request: Request,
    db: Db,
    rails: TheRails,
    now: Now,
    stripe_signature: Annotated[str, Header(max_length=4096)] = "",
) -> Received:
    """Take what Stripe signed: any number of times, in any order, counted once."""
    raw = await request.body()
    stripe.verify(raw, stripe_signature, rails.stripe_secrets, now)
    notice = stripe.read(raw)
    return Received(duplicate=await actions.receive(db, rails, notice, raw, now))
