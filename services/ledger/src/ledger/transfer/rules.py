"""Which transfers make sense, and whose money somebody may move. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hazina.problems import Kind, Problem
from ledger.account.rules import Account, Asset, Mover, Purpose
from ledger.posting.rules import What


class SameAccount(Problem, code="transfer.same_account", kind=Kind.INVALID):
    """Money moves from one account to another."""


class AssetUnknown(Problem, code="transfer.asset_unknown", kind=Kind.INVALID):
    """There is no such asset."""


class AssetNotTransferable(Problem, code="transfer.asset_not_transferable", kind=Kind.INVALID):
    """This asset is not sent from one to another."""


class TransactionUnknown(Problem, code="transaction.unknown", kind=Kind.UNKNOWN):
    """There is no such transaction, or not for you."""


class NotReversible(Problem, code="transaction.not_reversible", kind=Kind.CONFLICT):
    """A transaction of this kind is taken back in its own way."""


class AlreadyReversed(Problem, code="transaction.already_reversed", kind=Kind.CONFLICT):
    """This transaction was taken back before."""


class DuplicateKey(Problem, code="transfer.duplicate_key", kind=Kind.INVALID):
    """Two transfers of one request have the same key."""


class BatchRefused(Problem, code="transfer.batch_refused", kind=Kind.CONFLICT):
    """One of the transfers was refused, so none was made."""


# Whoever moves money into or out of these keeps books of its own about it.
KEPT_BY_CAPABILITIES = frozenset({Purpose.MONEYBOX, Purpose.DEBT, Purpose.PENDING})
REVERSIBLE = frozenset({What.TRANSFER, What.HOLD_CAPTURE, What.RECURRING, What.REFERRAL})


@dataclass(frozen=True, slots=True)
class Order:
    """What a transfer is to move, in minor units."""

    payer: Account
    payee: Account
    amount: int
    reference: str | None
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One leg of a transaction; what it left behind only for who may read the account."""

    account_id: UUID
    amount: int
    balance_after: int | None
    seq: int | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A movement of money as its reader may see it, in minor units."""

    id: UUID
    kind: str
    asset: str
    amount: int
    legs: tuple[Line, ...]
    reference: str | None
    metadata: Mapping[str, Any]
    reverses: UUID | None
    created_at: datetime


def transfer(mover: Mover, order: Order, assets: Mapping[str, Asset]) -> None:
    """Let `order` stand, or refuse by the first broken rule in this order."""
    if order.payer.id == order.payee.id:
        raise SameAccount
    asset = assets.get(order.payer.asset)
    if asset is None:
        raise AssetUnknown(asset=order.payer.asset)
    if not asset.transferable and not mover.trusted:
        raise AssetNotTransferable(asset=asset.code)
    assert order.payer.asset == order.payee.asset, "a transfer moves one asset"


def may_move(mover: Mover, order: Order) -> bool:
    """Say whether the mover may do this: spend their own `available`, into another's.

    Nobody moves by a transfer what a capability keeps, however trusted.
    """
    if {order.payer.purpose, order.payee.purpose} & KEPT_BY_CAPABILITIES:
        return False
    if mover.trusted:
        return True
    return mover.may_spend(order.payer) and order.payee.purpose is Purpose.AVAILABLE


def reverse(transaction: Transaction, reversed_by: UUID | None) -> None:
    """Let a transaction be taken back, or refuse by the first broken rule in this order."""
    if transaction.kind not in REVERSIBLE:
        raise NotReversible(kind=transaction.kind)
    if reversed_by is not None:
        raise AlreadyReversed(by=str(reversed_by))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one transfer of many: its transaction, or why there is none."""

    transaction_id: UUID | None = None
    code: str | None = None
    facts: Mapping[str, Any] | None = None
