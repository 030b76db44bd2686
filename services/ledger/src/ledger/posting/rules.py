"""What a posting must be before it is written. Pure: no clock, no database, no chance."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID
from zlib import crc32

from hazina import ids, problems
from hazina.problems import Kind, Problem
from ledger.account.rules import Account


class Busy(Problem, code="posting.busy", kind=Kind.UNAVAILABLE):
    """More postings are waiting than we let wait; nothing was changed."""


class What(StrEnum):
    """The kinds of transaction there are."""

    TRANSFER = "transfer"
    HOLD_CAPTURE = "hold_capture"
    REVERSAL = "reversal"
    PURCHASE = "purchase"
    REFUND = "refund"
    CHARGEBACK = "chargeback"
    REINSTATEMENT = "reinstatement"
    GIFT = "gift"
    GIFT_REVERSAL = "gift_reversal"
    COMMISSION = "commission"
    DEPOSIT = "deposit"
    MONEYBOX_DEPOSIT = "moneybox_deposit"
    MONEYBOX_WITHDRAWAL = "moneybox_withdrawal"
    MONEYBOX_BONUS = "moneybox_bonus"
    MONEYBOX_LIQUIDATION = "moneybox_liquidation"
    SWAP = "swap"
    PAYOUT = "payout"
    PAYOUT_PAID = "payout_paid"
    PAYOUT_RETURN = "payout_return"
    RECURRING = "recurring"
    REFERRAL = "referral"
    SETTLEMENT = "settlement"


@dataclass(frozen=True, slots=True)
class Leg:
    """One account's part of a posting, in minor units: positive is owed to the owner."""

    account: Account
    amount: int
    hold: int = 0  # what is set aside (positive) or freed (negative)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One caller's try at one thing. The same key is the same attempt, however often it comes."""

    key: UUID
    fields: Mapping[str, str] = field(default_factory=dict)  # by JSON pointer, a digest in hex

    @property
    def request_hash(self) -> bytes:
        """Eight bytes a field: four of its name, four of what it held, in the order of names."""
        return b"".join(_mark(name) + _digest(self.fields[name]) for name in sorted(self.fields))

    def difference(self, asked_before: bytes) -> str:
        """Name the first field that is not as it was asked before; "" when one is missing now."""
        before = {asked_before[i : i + 8] for i in range(0, len(asked_before), 8)}
        ours = ((name, _mark(name) + _digest(held)) for name, held in self.fields.items())
        return next((name for name, mark in ours if mark not in before), "")


def _mark(name: str) -> bytes:
    return crc32(name.encode()).to_bytes(4)


def _digest(held: str) -> bytes:
    return bytes.fromhex(held)[:4]


def of_our_own(*words: object) -> Attempt:
    """Name something that only the ledger itself does, once: a retry is the same attempt."""
    return Attempt(ids.derived("attempt", *words))


@dataclass(frozen=True, slots=True)
class Posting:
    """A transaction to be: legs that sum to zero per asset, each account named once.

    `force` passes freezes, never floors.
    """

    id: UUID
    attempt: Attempt
    what: What
    legs: tuple[Leg, ...]
    actor_id: UUID | None = None
    reference: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    force: bool = False
    reverses: UUID | None = None

    def __post_init__(self) -> None:
        sums: Counter[str] = Counter()
        for leg in self.legs:
            sums[leg.account.asset] += leg.amount
        assert not any(sums.values()), f"{self.what} does not sum to zero: {dict(sums)}"
        named = {leg.account.id for leg in self.legs}
        assert len(named) == len(self.legs), "a posting names an account once"
        assert self.legs, "a posting moves something"
        assert all(leg.amount or leg.hold for leg in self.legs), "a leg moves something"


def legs(moves: Iterable[tuple[Account, int]]) -> tuple[Leg, ...]:
    """Make legs of amounts per account: an account named twice is one leg, nothing is none."""
    sums: dict[Account, int] = {}
    for account, amount in moves:
        sums[account] = sums.get(account, 0) + amount
    return tuple(Leg(account, amount) for account, amount in sums.items() if amount)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction as it was answered the first time: one element of each a leg."""

    id: UUID
    created_at: datetime
    account_ids: tuple[UUID, ...]
    amounts: tuple[int, ...]
    seqs: tuple[int, ...]
    balances_after: tuple[int, ...]
    replayed: bool

    def balance_after(self, account: Account) -> int:
        """Tell what `account`, one of the legs, held afterwards, in minor units."""
        return self.balances_after[self.account_ids.index(account.id)]


@dataclass(frozen=True, slots=True)
class Fee:
    """What was taken of a transaction, and whose it became, in minor units."""

    transaction_id: UUID
    what: What
    fee_type: str
    fee_category: str
    base_amount: int
    fee_bps: int
    platform_revenue: int
    currency: str
    paid_by: UUID
    dao_id: UUID | None = None
    dao_revenue: int = 0
    reverses: UUID | None = None  # the transaction whose fee this one gives back

    @property
    def fee_amount(self) -> int:
        """All that was taken."""
        return self.platform_revenue + self.dao_revenue


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no that stands for ever: what the attempt with this key is always told."""

    code: str
    facts: dict[str, Any]
    replayed: bool

    def problem(self) -> Problem:
        """Give the problem that the caller is told."""
        return _ours()[self.code](**self.facts)


def _ours() -> dict[str, type[Problem]]:
    """Find our problems by code. Another service in this process may have one of the same code."""
    ours = {__name__.partition(".")[0], "hazina"}
    return {
        problem.code: problem
        for problem in problems.every()
        if problem.__module__.partition(".")[0] in ours
    }


@dataclass(frozen=True, slots=True)
class Taken:
    """The key belongs to another request, which asked this."""

    request_hash: bytes


Answer = Receipt | Refusal | Taken


def stands_for_ever(problem: Problem) -> bool:
    """Say whether a refusal burns its key: a rule's no does, a request that made no sense not."""
    return problem.kind is Kind.CONFLICT
