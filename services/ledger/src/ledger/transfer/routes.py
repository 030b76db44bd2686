"""Transfers over HTTP, and every transaction that its reader took part in."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter
from pydantic import AfterValidator, Field

from hazina.auth import Forbidden, Signed
from hazina.chassis import Db, Page, Paged, Wire, refuses
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
from ledger.parts import TheBook, TheDirectory
from ledger.posting.rules import Busy
from ledger.transfer import actions, rules, store
from ledger.transfer.rules import (
    AssetNotTransferable,
    AssetUnknown,
    Order,
    SameAccount,
    TransactionUnknown,
)

router = APIRouter(prefix="/ledger/v1", tags=["transfer"])

METADATA_BYTES_MAX = 2048


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(msgspec.json.encode(metadata)) > METADATA_BYTES_MAX:
        raise ValueError(f"metadata may be {METADATA_BYTES_MAX} bytes of JSON")
    return metadata


Metadata = Annotated[dict[str, Any], AfterValidator(_small)]


class TransferCreate(Wire):
    """What to move, in minor units of an asset, from one account to another."""

    payer: Annotated[UUID | AccountName, Field(alias="from")]
    payee: Annotated[UUID | AccountName, Field(alias="to")]
    asset: AssetCode
    amount: Amount
    reference: Reference | None = None
    metadata: Metadata = Field(default_factory=dict)


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
