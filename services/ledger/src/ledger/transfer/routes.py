"""Transfers over HTTP, and every transaction that its reader took part in."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter
from pydantic import AfterValidator, Field

from hazina.auth import Caller, Forbidden, Signed, StepUpRequired
from hazina.chassis import BULK_BODY_BYTES_MAX, Db, Page, Paged, Wire, refuses
from hazina.idempotency import Attempt, KeyedForGood
from hazina.idempotency.attempt import KEY_LENGTH_MAX
from hazina.money import BALANCE_MAX
from hazina.problems import Problem
from ledger.account.rules import (
    Account,
    AccountClosed,
    AccountFrozen,
    AccountUnknown,
    InsufficientFunds,
    LimitExceeded,
    OwnerUnknown,
)
from ledger.asking import (
    WRITE,
    AccountName,
    Amount,
    AssetCode,
    Reference,
    account_named,
    accounts_by_id,
    meant,
    mover_of,
)
from ledger.parts import TheBook, TheDirectory
from ledger.posting.actions import attempt_of
from ledger.posting.rules import Busy
from ledger.transfer import actions, rules, store
from ledger.transfer.rules import (
    AlreadyReversed,
    AssetNotTransferable,
    AssetUnknown,
    BatchRefused,
    DuplicateKey,
    NotReversible,
    Order,
    Outcome,
    SameAccount,
    TransactionUnknown,
)

router = APIRouter(prefix="/ledger/v1", tags=["transfer"])

METADATA_BYTES_MAX = 2048
BULK_MAX = 8_000


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(msgspec.json.encode(metadata)) > METADATA_BYTES_MAX:
        raise ValueError(f"metadata may be {METADATA_BYTES_MAX} bytes of JSON")
    return metadata


Name = Annotated[str, Field(min_length=1, max_length=64)]
Value = (
    Annotated[str, Field(max_length=500)]
    | Annotated[int, Field(ge=-BALANCE_MAX, le=BALANCE_MAX)]
    | bool
    | None
)
Metadata = Annotated[dict[Name, Value], Field(max_length=20), AfterValidator(_small)]


class TransferCreate(Wire):
    """What to move, in minor units of an asset, from one account to another."""

    payer: Annotated[UUID | AccountName, Field(alias="from")]
    payee: Annotated[UUID | AccountName, Field(alias="to")]
    asset: AssetCode
    amount: Amount
    reference: Reference | None = None
    metadata: Metadata = Field(default_factory=dict)


class BulkItem(TransferCreate):
    """One transfer of many; `key` names it, or its place in the request does."""

    key: Annotated[str, Field(min_length=1, max_length=KEY_LENGTH_MAX)] | None = None


class BulkCreate(Wire):
    """Transfers to make in this order: each that can be made or, `atomic`, all or none."""

    atomic: bool = False
    transfers: Annotated[list[BulkItem], Field(min_length=1, max_length=BULK_MAX)]


class BulkResult(Wire):
    """What became of one of them."""

    index: int
    status: Literal["posted", "refused"]
    transaction_id: UUID | None = None
    code: str | None = None
    facts: Mapping[str, Any] | None = None


class BulkRead(Wire):
    """What became of all of them."""

    posted: int
    refused: int
    results: list[BulkResult]


class ReversalCreate(Wire):
    """Why a transaction is taken back."""

    reason: Reference


class LegRead(Wire):
    """One account's part; what it left behind is shown to who may read the account."""

    account_id: UUID
    amount: int
    balance_after: int | None = None
    seq: int | None = None


class TransactionRead(Wire):
    """A movement of money, in minor units of an asset."""

    id: UUID
    kind: str
    asset: str
    amount: int
    legs: list[LegRead]
    reference: str | None
    metadata: Mapping[str, Any]
    reverses: UUID | None
    created_at: datetime


def _shown(made: rules.Transaction) -> TransactionRead:
    legs = [
        LegRead(account_id=leg.account_id, amount=leg.amount)
        if leg.seq is None
        else LegRead.of(leg)
        for leg in made.legs
    ]
    return TransactionRead(
        id=made.id,
        kind=made.kind,
        asset=made.asset,
        amount=made.amount,
        legs=legs,
        reference=made.reference,
        metadata=made.metadata,
        reverses=made.reverses,
        created_at=made.created_at,
    )


@router.post(
    "/transfers",
    status_code=201,
    response_model_exclude_unset=True,
    responses=refuses(
        *(SameAccount, AssetUnknown, AssetNotTransferable, Forbidden, OwnerUnknown, AccountUnknown),
        *(AccountClosed, AccountFrozen, InsufficientFunds, LimitExceeded, Busy),
    ),
)
async def post_transfer(
    ask: TransferCreate,
    caller: Signed,
    asked: KeyedForGood,
    book: TheBook,
    directory: TheDirectory,
) -> TransactionRead:
    """Move money from one account to another, once per key."""
    mover = mover_of(caller)
    payer = await account_named(ask.payer, ask.asset, directory)
    payee = await account_named(ask.payee, ask.asset, directory)
    order = Order(payer, payee, ask.amount, ask.reference, ask.metadata)
    return _shown(await actions.transfer(book, directory, mover, order, asked=asked))


@router.post(
    "/transfers/bulk",
    response_model_exclude_unset=True,
    max_body_size=BULK_BODY_BYTES_MAX,
    responses=refuses(Forbidden, DuplicateKey, BatchRefused, Busy),
)
async def post_bulk(
    ask: BulkCreate,
    caller: Signed,
    asked: KeyedForGood,
    db: Db,
    book: TheBook,
    *,
    directory: TheDirectory,
) -> BulkRead:
    """Make many transfers in one request; the same request again goes on where it was."""
    mover = mover_of(caller)
    if not mover.trusted and mover.org_id is None:
        raise Forbidden
    names = (name for item in ask.transfers for name in (item.payer, item.payee))
    known = await accounts_by_id(names, directory)
    orders = [
        (_order(item, known), attempt_of(attempt))
        for item, attempt in zip(ask.transfers, _attempts(ask, caller, asked), strict=True)
    ]
    if ask.atomic:
        outcomes = await actions.transfer_all(
            db, book, directory, mover=mover, orders=orders, asked=asked
        )
    else:
        outcomes = await actions.transfer_many(book, directory, mover, orders)
    results = [_result(index, outcome) for index, outcome in enumerate(outcomes)]
    posted = sum(result.status == "posted" for result in results)
    return BulkRead(posted=posted, refused=len(results) - posted, results=results)


def _attempts(ask: BulkCreate, caller: Caller, asked: Attempt) -> list[Attempt]:
    """Name each transfer: by its own key, or by the request's and its place."""
    names = [item.key or f"{asked.name}#{index}" for index, item in enumerate(ask.transfers)]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DuplicateKey(key=twice[0])
    return [
        Attempt(
            name=name,
            caller=str(caller.user_id or caller.service),
            route=asked.route,
            request=item.model_dump(mode="json"),
            at=asked.at,
        )
        for name, item in zip(names, ask.transfers, strict=True)
    ]


def _order(item: BulkItem, known: Mapping[UUID, Account]) -> Order | Problem:
    try:
        payer = meant(item.payer, item.asset, known)
        payee = meant(item.payee, item.asset, known)
    except Problem as problem:
        return problem
    return Order(payer, payee, item.amount, item.reference, item.metadata)


def _result(index: int, outcome: Outcome) -> BulkResult:
    if outcome.code is None:
        return BulkResult(index=index, status="posted", transaction_id=outcome.transaction_id)
    return BulkResult(index=index, status="refused", code=outcome.code, facts=outcome.facts)


@router.post(
    "/transactions/{transaction_id}/reverse",
    status_code=201,
    response_model_exclude_unset=True,
    responses=refuses(
        *(Forbidden, StepUpRequired, TransactionUnknown, NotReversible, AlreadyReversed),
        *(AccountClosed, InsufficientFunds, LimitExceeded),
    ),
)
async def post_reversal(
    transaction_id: UUID,
    ask: ReversalCreate,
    caller: Signed,
    asked: KeyedForGood,
    db: Db,
    *,
    book: TheBook,
) -> TransactionRead:
    """Take a transaction back, once: a service's or staff's to do."""
    if caller.service is None:
        caller.require_staff()
    else:
        caller.require_scope(WRITE)
    made = await actions.reverse(db, book, id=transaction_id, reason=ask.reason, asked=asked)
    return _shown(made)


@router.get(
    "/transactions/{transaction_id}",
    response_model_exclude_unset=True,
    responses=refuses(TransactionUnknown),
)
async def get_transaction(transaction_id: UUID, caller: Signed, db: Db) -> TransactionRead:
    """Show a transaction that the caller took part in."""
    async with db.reading(caller.actor) as tx:
        return _shown(await store.read_transaction(tx, transaction_id))


@router.get("/transactions", response_model_exclude_unset=True)
async def list_transactions(
    reference: Reference, caller: Signed, db: Db, paging: Paged
) -> Page[TransactionRead]:
    """List the transactions with a reference that the caller took part in."""
    (after,) = paging.after(UUID) or (None,)
    async with db.reading(caller.actor) as tx:
        found = await store.list_transactions(
            tx, reference=reference, after=after, limit=paging.fetch
        )
    return paging.page([_shown(t) for t in found], key=lambda t: (t.id,), shape=TransactionRead)
