"""Holds over HTTP."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from hazina.auth import Forbidden, Signed
from hazina.chassis import Db, Wire, refuses
from hazina.idempotency import KeyedForGood
from ledger.account.rules import (
    AccountClosed,
    AccountFrozen,
    AccountUnknown,
    InsufficientFunds,
    LimitExceeded,
    OwnerUnknown,
)
from ledger.asking import AccountName, Amount, AssetCode, Reference, account_named, mover_of
from ledger.hold import actions
from ledger.hold.rules import AmountTooLarge, HoldExpired, HoldNotPending, HoldUnknown, Status
from ledger.parts import TheBook, TheDirectory
from ledger.posting.rules import Busy
from ledger.transfer.rules import AssetNotTransferable, AssetUnknown, Order, SameAccount

router = APIRouter(prefix="/ledger/v1/holds", tags=["hold"])

LASTS_MAX_S = 2_592_000  # thirty days


class HoldCreate(Wire):
    """What to set aside, for whom, and for how long."""

    payer: Annotated[UUID | AccountName, Field(alias="from")]
    payee: Annotated[UUID | AccountName, Field(alias="to")]
    asset: AssetCode
    amount: Amount
    expires_in_s: Annotated[int, Field(ge=1, le=LASTS_MAX_S)]
    reference: Reference | None = None


class HoldCapture(Wire):
    """How much of it to move: all of it, unless said."""

    amount: Amount | None = None


class HoldVoid(Wire):
    """Nothing needs to be said."""


class HoldRead(Wire):
    """Money that was set aside, and what became of it."""

    id: UUID
    status: Status
    amount: int
    captured: int
    expires_at: datetime
    transaction_id: UUID | None


@router.post(
    "",
    status_code=201,
    responses=refuses(
        *(SameAccount, AssetUnknown, AssetNotTransferable, Forbidden, OwnerUnknown, AccountUnknown),
        *(AccountClosed, AccountFrozen, InsufficientFunds, LimitExceeded, Busy),
    ),
)
async def post_hold(
    ask: HoldCreate,
    caller: Signed,
    asked: KeyedForGood,
    db: Db,
    book: TheBook,
    *,
    directory: TheDirectory,
) -> HoldRead:
    """Set an amount aside for somebody, once per key; it stays its owner's until captured."""
    mover = mover_of(caller)
    payer = await account_named(ask.payer, ask.asset, directory)
    payee = await account_named(ask.payee, ask.asset, directory)
    hold = await actions.place(
        db,
        book,
        directory,
        mover=mover,
        order=Order(payer, payee, ask.amount, ask.reference, {}),
        lasts=timedelta(seconds=ask.expires_in_s),
        asked=asked,
    )
    return HoldRead.of(hold)


@router.get("/{hold_id}", responses=refuses(HoldUnknown, Forbidden))
async def get_hold(hold_id: UUID, caller: Signed, db: Db) -> HoldRead:
    """Show a hold to who set it aside or would get it."""
    return HoldRead.of(await actions.read(db, mover_of(caller), hold_id))


@router.post(
    "/{hold_id}/capture",
    responses=refuses(
        *(HoldUnknown, Forbidden, AmountTooLarge, HoldExpired, HoldNotPending),
        *(AccountClosed, LimitExceeded),
    ),
)
async def post_capture(
    hold_id: UUID, ask: HoldCapture, caller: Signed, asked: KeyedForGood, db: Db, *, book: TheBook
) -> HoldRead:
    """Move what was set aside, whole or in part, once; the rest is free again."""
    hold = await actions.capture(
        db, book, mover=mover_of(caller), hold_id=hold_id, amount=ask.amount, asked=asked
    )
    return HoldRead.of(hold)


@router.post(
    "/{hold_id}/void",
    responses=refuses(HoldUnknown, Forbidden, HoldExpired, HoldNotPending, AccountClosed),
)
async def post_void(
    hold_id: UUID, _: HoldVoid, caller: Signed, asked: KeyedForGood, db: Db, *, book: TheBook
) -> HoldRead:
    """Give back what was set aside."""
    hold = await actions.void(db, book, mover=mover_of(caller), hold_id=hold_id, asked=asked)
    return HoldRead.of(hold)
