"""Moneyboxes and commissions over HTTP."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Discriminator, Field, Tag

from hazina.auth import Caller, Forbidden, Signed, StepUpRequired
from hazina.chassis import Db, Now, Page, Paged, Wire, refuses
from hazina.idempotency import KeyedForGood
from ledger.account.rules import (
    Account,
    AccountFrozen,
    AccountUnknown,
    InsufficientFunds,
    LimitExceeded,
    OwnerType,
    OwnerUnknown,
    Purpose,
    of_platform,
)
from ledger.asking import AccountName, Amount, AssetCode, Reference, account_named
from ledger.moneybox import actions, store
from ledger.moneybox.rules import (
    AUTOSAVE_PERCENT_MAX,
    AlreadyCredited,
    AlreadyOpen,
    AssetNotAllowed,
    Line,
    MoneyboxNotOpen,
    MoneyboxUnknown,
    Movement,
    Order,
    Status,
    Tier,
    TierNotForRole,
    TierUnknown,
)
from ledger.parts import TheBook, TheDirectory
from ledger.transfer.rules import AssetNotTransferable, AssetUnknown, SameAccount

router = APIRouter(prefix="/ledger/v1", tags=["moneybox"])

TIER_MAX = 2**31 - 1
SOURCE_TYPE_LENGTH_MAX = 64
COMMISSION = "ledger:commission"  # the scope with which another service credits commissions

AutosavePercent = Annotated[int, Field(ge=0, le=AUTOSAVE_PERCENT_MAX)]


class MoneyboxTierRead(Wire):
    """How long money is locked, what that earns, and what leaving early costs by thirds."""

    tier: int
    name: str
    lock_days: int
    bonus_bps: int
    penalty_bps: list[int]
    roles: list[str]


class MoneyboxCreate(Wire):
    """On which terms to save what, and how much of each commission."""

    tier: Annotated[int, Field(ge=1, le=TIER_MAX)]
    asset: AssetCode
    autosave_percent: AutosavePercent


class MoneyboxUpdate(Wire):
    """How much of each commission to save from now on."""

    autosave_percent: AutosavePercent


class MoneyboxRead(Wire):
    """A moneybox on the terms it was opened on, what it holds, and what that will earn."""

    id: UUID
    user_id: UUID
    asset: str
    role: str
    tier: int
    status: Status
    autosave_percent: int
    lock_days: int
    bonus_bps: int
    penalty_bps: list[int]
    lock_start_at: datetime | None
    matures_at: datetime | None
    balance: int
    projected_bonus: int
    created_at: datetime


class DepositCreate(Wire):
    """How much to put in, in minor units."""

    amount: Amount


class WithdrawalCreate(Wire):
    """How much to take out, in minor units, or `all`."""

    amount: Annotated[
        Annotated[Amount, Tag("number")] | Annotated[Literal["all"], Tag("word")],
        Discriminator(lambda asked: "word" if isinstance(asked, str) else "number"),
    ]


class MovedRead(Wire):
    """What went in or out, what it cost, and the moneybox after it."""

    moneybox: MoneyboxRead
    transaction_id: UUID
    amount: int
    penalty: int
    net: int


class MoneyboxLineRead(Wire):
    """A movement of a moneybox, and what it was after it."""

    id: UUID
    moneybox_id: UUID
    type: Movement
    amount: int
    meta_json: Mapping[str, Any]
    transaction_id: UUID
    created_at: datetime


class CommissionCreate(Wire):
    """What was earned by whom, who pays it (the platform: out of `bonus`), and what for."""

    user_id: UUID
    amount: Amount
    currency: AssetCode
    payer: UUID | AccountName
    source_type: Annotated[str, Field(min_length=1, max_length=SOURCE_TYPE_LENGTH_MAX)]
    source_id: Reference


class CommissionRead(Wire):
    """A commission, and how much of it went to the purse and to the moneybox."""

    id: UUID
    user_id: UUID
    amount: int
    currency: str
    credited_amount: int
    autosaved_amount: int
    moneybox_id: UUID | None
    source_type: str
    source_id: str
    transaction_id: UUID
    created_at: datetime


def _tier(tier: Tier) -> MoneyboxTierRead:
    return MoneyboxTierRead(
        tier=tier.tier,
        name=tier.name,
        lock_days=tier.lock_days,
        bonus_bps=tier.bonus_bps,
        penalty_bps=list(tier.penalty_bps),
        roles=sorted(tier.roles),
    )


def _line(line: Line) -> MoneyboxLineRead:
    return MoneyboxLineRead(
        id=line.id,
        moneybox_id=line.moneybox_id,
        type=line.type,
        amount=line.amount,
        meta_json=line.meta,
        transaction_id=line.transaction_id,
        created_at=line.created_at,
    )


@router.get("/moneybox-tiers")
async def list_moneybox_tiers(caller: Signed, db: Db) -> Page[MoneyboxTierRead]:
    """List the terms on which money can be saved; all on one page."""
    async with db.reading(caller.actor) as tx:
        return Page[MoneyboxTierRead](data=[_tier(tier) for tier in await store.list_tiers(tx)])


@router.post(
    "/moneyboxes",
    status_code=201,
    responses=refuses(
        *(Forbidden, AssetNotAllowed, TierUnknown, TierNotForRole, OwnerUnknown, AlreadyOpen)
    ),
)
async def post_moneybox(
    ask: MoneyboxCreate,
    caller: Signed,
    asked: KeyedForGood,
    db: Db,
    book: TheBook,
    *,
    directory: TheDirectory,
) -> MoneyboxRead:
    """Begin to save, once per key; one open moneybox at a time. The terms never change."""
    box = await actions.open(
        db, book, directory, user_id=caller.require_user(), asked=asked, **ask.model_dump()
    )
    return MoneyboxRead.of(box)


@router.get("/moneyboxes")
async def list_moneyboxes(caller: Signed, db: Db, paging: Paged) -> Page[MoneyboxRead]:
    """List the caller's moneyboxes, oldest first."""
    (after,) = paging.after(UUID) or (None,)
    async with db.reading(caller.actor) as tx:
        boxes = await store.list_moneyboxes(tx, after=after, limit=paging.fetch)
    return paging.page(boxes, key=lambda box: (box.id,), shape=MoneyboxRead)


@router.get("/moneyboxes/{moneybox_id}", responses=refuses(MoneyboxUnknown))
async def get_moneybox(moneybox_id: UUID, caller: Signed, db: Db) -> MoneyboxRead:
    """Show a moneybox, what it holds, and what that will earn."""
    async with db.reading(caller.actor) as tx:
        return MoneyboxRead.of(await store.read_moneybox(tx, moneybox_id))


@router.get("/moneyboxes/{moneybox_id}/ledger", responses=refuses(MoneyboxUnknown))
async def list_moneybox_ledger(
    moneybox_id: UUID, caller: Signed, db: Db, paging: Paged
) -> Page[MoneyboxLineRead]:
    """List what moved in a moneybox, newest first."""
    (before,) = paging.after(UUID) or (None,)
    async with db.reading(caller.actor) as tx:
        await store.read_moneybox(tx, moneybox_id)
        lines = await store.list_lines(tx, moneybox_id, before=before, limit=paging.fetch)
    return paging.page(
        [_line(line) for line in lines], key=lambda line: (line.id,), shape=MoneyboxLineRead
    )


@router.patch(
    "/moneyboxes/{moneybox_id}", responses=refuses(Forbidden, MoneyboxUnknown, MoneyboxNotOpen)
)
async def patch_moneybox(
    moneybox_id: UUID, ask: MoneyboxUpdate, caller: Signed, db: Db, now: Now
) -> MoneyboxRead:
    """Save another part of each commission from now on."""
    box = await actions.change(
        db,
        user_id=caller.require_user(),
        id=moneybox_id,
        autosave_percent=ask.autosave_percent,
        now=now,
    )
    return MoneyboxRead.of(box)


@router.post(
    "/moneyboxes/{moneybox_id}/deposits",
    status_code=201,
    responses=refuses(
        *(Forbidden, MoneyboxUnknown, MoneyboxNotOpen, AccountFrozen, InsufficientFunds),
        LimitExceeded,
    ),
)
async def post_deposit(
    moneybox_id: UUID,
    ask: DepositCreate,
    caller: Signed,
    asked: KeyedForGood,
    db: Db,
    *,
    book: TheBook,
) -> MovedRead:
    """Put money from the purse into a moneybox, once per key."""
    moved = await actions.deposit(
        db, book, user_id=caller.require_user(), id=moneybox_id, amount=ask.amount, asked=asked
    )
    return MovedRead.of(moved)


@router.post(
    "/moneyboxes/{moneybox_id}/withdrawals",
    status_code=201,
    responses=refuses(
        *(Forbidden, MoneyboxUnknown, MoneyboxNotOpen, AccountFrozen, InsufficientFunds),
        LimitExceeded,
    ),
)
async def post_withdrawal(
    moneybox_id: UUID,
    ask: WithdrawalCreate,
    caller: Signed,
    asked: KeyedForGood,
    db: Db,
    *,
    book: TheBook,
) -> MovedRead:
    """Take money out of a moneybox, once per key; before its time this costs a penalty."""
    moved = await actions.withdraw(
        db,
        book,
        user_id=caller.require_user(),
        id=moneybox_id,
        amount=None if ask.amount == "all" else ask.amount,
        asked=asked,
    )
    return MovedRead.of(moved)


@router.post(
    "/commissions",
    status_code=201,
    responses=refuses(
        *(Forbidden, StepUpRequired, AssetUnknown, AssetNotTransferable, SameAccount),
        *(OwnerUnknown, AccountUnknown, AlreadyCredited, AccountFrozen, InsufficientFunds),
        LimitExceeded,
    ),
)
async def post_commission(
    ask: CommissionCreate,
    caller: Signed,
    asked: KeyedForGood,
    db: Db,
    book: TheBook,
    *,
    directory: TheDirectory,
) -> CommissionRead:
    """Credit a commission, once per source; a service's or staff's to do.

    The earner's open moneybox takes its part in the same transaction.
    """
    _require_creditor(caller)
    order = Order(
        ask.user_id,
        ask.amount,
        ask.currency,
        await _payer(ask, directory),
        ask.source_type,
        ask.source_id,
    )
    return CommissionRead.of(await actions.credit(db, book, directory, order=order, asked=asked))


@router.get("/commissions")
async def list_commissions(caller: Signed, db: Db, paging: Paged) -> Page[CommissionRead]:
    """List the commissions that the caller earned, newest first."""
    (before,) = paging.after(UUID) or (None,)
    async with db.reading(caller.actor) as tx:
        earned = await store.list_commissions(tx, before=before, limit=paging.fetch)
    return paging.page(earned, key=lambda one: (one.id,), shape=CommissionRead)


def _require_creditor(caller: Caller) -> None:
    if caller.service is None:
        caller.require_staff()
    else:
        caller.require_scope(COMMISSION)


async def _payer(ask: CommissionCreate, directory: TheDirectory) -> Account:
    """Give the account that pays: what is named, and the platform out of `bonus`."""
    if isinstance(ask.payer, AccountName) and ask.payer.owner_type is OwnerType.PLATFORM:
        if ask.payer.owner_id is not None:
            raise OwnerUnknown(owner_type=ask.payer.owner_type, owner_id=str(ask.payer.owner_id))
        return of_platform(Purpose.BONUS, ask.currency)
    return await account_named(ask.payer, ask.currency, directory)
