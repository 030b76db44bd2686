"""Gifts over HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from hazina.auth import Forbidden, Signed, StepUpRequired
from hazina.chassis import Db, Page, Paged, Wire, refuses
from hazina.idempotency import KeyedForGood
from ledger.account.rules import AccountFrozen, InsufficientFunds, OwnerUnknown
from ledger.asking import Reference
from ledger.gift import actions, rules, store
from ledger.gift.rules import (
    AlreadyReversed,
    EarningsSpent,
    GiftToSelf,
    GiftType,
    GiftTypeInactive,
    GiftTypeUnknown,
    GiftUnknown,
    RecipientUnavailable,
    RecipientUnknown,
    Wish,
)
from ledger.parts import TheBook, TheDirectory
from ledger.posting.rules import Busy

router = APIRouter(prefix="/ledger/v1", tags=["gift"])

QUANTITY_MAX = 10_000


class UnitSplit(Wire):
    """How the coins of one gift are shared out."""

    streamer_revenue: int
    platform_revenue: int


class GiftTypeRead(Wire):
    """Something to give, what it costs in coins, and how that is shared."""

    id: UUID
    code: str
    name: str
    coin_cost: int
    share_bps: int
    animation_url: str | None
    is_active: bool
    unit_split: UnitSplit


class GiftCreate(Wire):
    """What to give to whom, how many at once, and where."""

    gift_type_id: UUID
    recipient_id: UUID
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX)] = 1
    stream_id: UUID | None = None
    box_id: UUID | None = None
    combo_id: UUID | None = None


class GiftRead(Wire):
    """A gift, and how its coins were shared."""

    id: UUID
    sender_id: UUID
    recipient_id: UUID
    gift_type_id: UUID
    gift_type: str
    quantity: int
    coin_amount: int
    streamer_revenue: int
    platform_revenue: int
    stream_id: UUID | None
    box_id: UUID | None
    combo_id: UUID | None
    transaction_id: UUID
    created_at: datetime


class GiftSentRead(GiftRead):
    """A gift that was just given, and the coins that its sender has left."""

    coin_balance: int


class ReversalCreate(Wire):
    """Why a gift is taken back; `absorb`: the platform bears what its recipient has spent."""

    reason: Reference
    absorb: bool = False


class ReversalRead(Wire):
    """A gift that was taken back, and what of it the platform bears, in coins."""

    gift_id: UUID
    transaction_id: UUID
    reason: str
    absorbed: int
    created_at: datetime


def _shown(type: GiftType) -> GiftTypeRead:
    split = UnitSplit.of(rules.split(type.coin_cost, type.share_bps))
    return GiftTypeRead(
        id=type.id,
        code=type.code,
        name=type.name,
        coin_cost=type.coin_cost,
        share_bps=type.share_bps,
        animation_url=type.animation_url,
        is_active=type.is_active,
        unit_split=split,
    )


@router.get("/gift-types")
async def list_gift_types(caller: Signed, db: Db, paging: Paged) -> Page[GiftTypeRead]:
    """List what can be given, with the split of one."""
    (after,) = paging.after(UUID) or (None,)
    async with db.reading(caller.actor) as tx:
        types = await store.list_types(tx, after=after, limit=paging.fetch)
    return paging.page([_shown(type) for type in types], key=lambda t: (t.id,), shape=GiftTypeRead)


@router.post(
    "/gifts",
    status_code=201,
    responses=refuses(
        *(GiftToSelf, GiftTypeUnknown, GiftTypeInactive, RecipientUnknown, RecipientUnavailable),
        *(Forbidden, OwnerUnknown, AccountFrozen, InsufficientFunds, Busy),
    ),
)
async def post_gift(
    ask: GiftCreate,
    caller: Signed,
    asked: KeyedForGood,
    db: Db,
    book: TheBook,
    *,
    directory: TheDirectory,
) -> GiftSentRead:
    """Give somebody a gift, once per key: coins leave the caller, earnings reach the recipient."""
    wish = Wish(**ask.model_dump())
    given, coins = await actions.send(
        db, book, directory, sender_id=caller.require_user(), wish=wish, asked=asked
    )
    return GiftSentRead(**GiftRead.of(given).model_dump(), coin_balance=coins)


@router.get("/gifts")
async def list_gifts(
    direction: Literal["sent", "received"], caller: Signed, db: Db, paging: Paged
) -> Page[GiftRead]:
    """List the gifts that the caller sent or received, newest first."""
    (before,) = paging.after(UUID) or (None,)
    async with db.reading(caller.actor) as tx:
        given = await store.list_gifts(
            tx, caller.require_user(), direction, before=before, limit=paging.fetch
        )
    return paging.page(given, key=lambda gift: (gift.id,), shape=GiftRead)


@router.post(
    "/gifts/{gift_id}/reverse",
    status_code=201,
    responses=refuses(GiftUnknown, Forbidden, StepUpRequired, AlreadyReversed, EarningsSpent),
)
async def post_reversal(
    gift_id: UUID,
    ask: ReversalCreate,
    caller: Signed,
    asked: KeyedForGood,
    db: Db,
    *,
    book: TheBook,
) -> ReversalRead:
    """Take a gift back: staff's to do."""
    caller.require_staff()
    made = await actions.reverse(
        db, book, gift_id=gift_id, reason=ask.reason, absorb=ask.absorb, asked=asked
    )
    return ReversalRead.of(made)


@router.get("/gifts/{gift_id}", responses=refuses(GiftUnknown))
async def get_gift(gift_id: UUID, caller: Signed, db: Db) -> GiftRead:
    """Show a gift that the caller sent or received."""
    async with db.reading(caller.actor) as tx:
        return GiftRead.of(await store.read_gift(tx, gift_id))
