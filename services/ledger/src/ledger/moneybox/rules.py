"""What a moneybox takes, keeps and gives back. Pure: no clock, no database, no chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from hazina.money import BPS, share
from hazina.problems import Kind, Problem
from ledger.account.rules import (
    Account,
    Asset,
    InsufficientFunds,
    OwnerType,
    Purpose,
    State,
    of_platform,
    of_user,
)
from ledger.posting.rules import Leg, legs
from ledger.transfer.rules import AssetNotTransferable, AssetUnknown, SameAccount

AUTOSAVE_PERCENT_MAX = 50
SUSPENSION_LASTS = timedelta(days=30)  # a shorter one does not cost the bonus
DAY = timedelta(days=1)


class AssetNotAllowed(Problem, code="moneybox.asset_not_allowed", kind=Kind.INVALID):
    """This asset is not saved in moneyboxes."""


class TierUnknown(Problem, code="moneybox.tier_unknown", kind=Kind.UNKNOWN):
    """There is no such tier."""


class TierNotForRole(Problem, code="moneybox.tier_not_for_role", kind=Kind.FORBIDDEN):
    """This tier is for other roles."""


class AlreadyOpen(Problem, code="moneybox.already_open", kind=Kind.CONFLICT):
    """You have an open moneybox; one at a time."""


class MoneyboxNotOpen(Problem, code="moneybox.not_open", kind=Kind.CONFLICT):
    """This moneybox is not open for that any more."""


class MoneyboxUnknown(Problem, code="moneybox.unknown", kind=Kind.UNKNOWN):
    """There is no such moneybox, or not for you."""


class AlreadyCredited(Problem, code="commission.already_credited", kind=Kind.CONFLICT):
    """This commission was credited before, under another key."""


class Status(StrEnum):
    """How far a moneybox has come: the first two hold money."""

    ACTIVE = "ACTIVE"
    MATURED = "MATURED"
    WITHDRAWN = "WITHDRAWN"
    LIQUIDATED = "LIQUIDATED"


OPEN = frozenset({Status.ACTIVE, Status.MATURED})


class Movement(StrEnum):
    """Why money went into a moneybox or left it."""

    DEPOSIT = "DEPOSIT"
    AUTOSAVE = "AUTOSAVE"
    BONUS = "BONUS"
    PENALTY = "PENALTY"
    WITHDRAWAL = "WITHDRAWAL"
    LIQUIDATION = "LIQUIDATION"


@dataclass(frozen=True, slots=True)
class Tier:
    """How long money is locked, what that earns, and what leaving early costs by thirds."""

    tier: int
    name: str
    lock_days: int
    bonus_bps: int
    penalty_bps: tuple[int, ...]
    roles: frozenset[str]  # empty: for all


@dataclass(frozen=True, slots=True)
class Saved:
    """What went in, less what left, on one day: so many whole days before the box matures."""

    days_left: int
    amount: int


@dataclass(frozen=True, slots=True)
class Moneybox:
    """A moneybox on the terms it was opened on, and what it holds, in minor units."""

    id: UUID
    user_id: UUID
    asset: str
    role: str
    tier: int
    status: Status
    autosave_percent: int
    lock_days: int
    bonus_bps: int
    penalty_bps: tuple[int, ...]
    lock_start_at: datetime | None
    matures_at: datetime | None
    created_at: datetime
    balance: int = 0
    money_days: int = 0  # each amount in it, times the whole days from its coming to `matures_at`

    @property
    def projected_bonus(self) -> int:
        """What it earns by the day it matures, rounded down, if nothing more comes or goes.

        Never negative, even if a clock that stepped back let money leave before it came.
        """
        if self.status is not Status.ACTIVE:
            return 0
        return max(0, self.money_days) * self.bonus_bps // (self.lock_days * BPS)

    @property
    def account(self) -> Account:
        """Where its money is."""
        return of_user(self.user_id, Purpose.MONEYBOX, self.asset)

    @property
    def purse(self) -> Account:
        """Where its money comes from and goes to."""
        return of_user(self.user_id, asset=self.asset)


@dataclass(frozen=True, slots=True)
class Line:
    """A movement of a moneybox, as it is kept for ever; `amount` is negative when money left."""

    id: UUID
    moneybox_id: UUID
    type: Movement
    amount: int
    transaction_id: UUID
    created_at: datetime
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What leaves a moneybox: `net` to its owner, `penalty` to the platform."""

    amount: int
    penalty: int
    penalty_bps: int = 0

    @property
    def net(self) -> int:
        """What its owner gets."""
        return self.amount - self.penalty


@dataclass(frozen=True, slots=True)
class Moved:
    """Money that went into a moneybox or left it, and the moneybox after it."""

    moneybox: Moneybox
    transaction_id: UUID
    amount: int
    penalty: int
    net: int


@dataclass(frozen=True, slots=True)
class Order:
    """A commission to be credited: how much of what, to whom, from whom, and what for."""

    user_id: UUID
    amount: int
    currency: str
    payer: Account
    source_type: str
    source_id: str


@dataclass(frozen=True, slots=True)
class Commission:
    """A commission that was credited. It shares its transaction's id."""

    id: UUID
    user_id: UUID
    amount: int
    currency: str
    autosaved_amount: int
    moneybox_id: UUID | None
    source_type: str
    source_id: str
    transaction_id: UUID
    created_at: datetime

    @property
    def credited_amount(self) -> int:
        """What its earner can spend at once."""
        return self.amount - self.autosaved_amount


def open(
    user_id: UUID,
    role: str,
    tier: Tier | None,
    *,
    asset: Asset | None,
    autosave_percent: int,
    id: UUID,
    now: datetime,
) -> Moneybox:
    """Let a moneybox be opened on the terms of a tier, or refuse by the first broken rule."""
    if asset is None or not asset.transferable:
        raise AssetNotAllowed
    if tier is None:
        raise TierUnknown
    if tier.roles and role not in tier.roles:
        raise TierNotForRole(role=role)
    return Moneybox(
        id=id,
        user_id=user_id,
        asset=asset.code,
        role=role,
        tier=tier.tier,
        status=Status.ACTIVE,
        autosave_percent=autosave_percent,
        lock_days=tier.lock_days,
        bonus_bps=tier.bonus_bps,
        penalty_bps=tier.penalty_bps,
        lock_start_at=None,
        matures_at=None,
        created_at=now,
    )


def is_due(box: Moneybox, now: datetime) -> bool:
    """Say whether a moneybox matures now: by the clock, whether or not anybody swept it up."""
    return box.status is Status.ACTIVE and box.matures_at is not None and now >= box.matures_at


def require_saving(box: Moneybox, now: datetime) -> None:
    """Refuse a moneybox that takes nothing any more, or saves nothing any more."""
    if is_due(box, now):
        raise MoneyboxNotOpen(state=Status.MATURED)
    if box.status is not Status.ACTIVE:
        raise MoneyboxNotOpen(state=box.status)


def require_open(box: Moneybox) -> None:
    """Refuse a moneybox that is empty for good."""
    if box.status not in OPEN:
        raise MoneyboxNotOpen(state=box.status)


def holding(box: Moneybox, saved: Sequence[Saved]) -> Moneybox:
    """Give the box with what lies in it, and for how long."""
    return replace(
        box,
        balance=sum(one.amount for one in saved),
        money_days=sum(one.amount * max(0, one.days_left) for one in saved),
    )


def put(box: Moneybox, amount: int, now: datetime) -> Moneybox:
    """Let `amount` come into the box, or leave it if negative: it counts for the days to come.

    The first money begins the box's time; later money does not prolong it.
    """
    start_at = box.lock_start_at or now
    matures_at = box.matures_at or start_at + box.lock_days * DAY
    days_left = max(0, (matures_at - now) // DAY)
    return replace(
        box,
        lock_start_at=start_at,
        matures_at=matures_at,
        balance=box.balance + amount,
        money_days=box.money_days + amount * days_left,
    )


def penalty_bps(box: Moneybox, now: datetime) -> int:
    """Give what leaving costs now: less in each third of the time, nothing after it."""
    if box.lock_start_at is None or box.status is Status.MATURED or is_due(box, now):
        return 0
    elapsed = max(timedelta(0), now - box.lock_start_at)
    return box.penalty_bps[min(2, 3 * elapsed // (box.lock_days * DAY))]


def withdraw(box: Moneybox, amount: int | None, now: datetime) -> Withdrawal:
    """Let `amount` leave the box, all of it if none is named. Raises `InsufficientFunds`.

    More than it holds is left to the book to refuse: a frozen account is refused as frozen.
    """
    wanted = box.balance if amount is None else amount
    if wanted == 0:
        raise InsufficientFunds(account_id=str(box.account.id), available=0, needed=1)
    bps = penalty_bps(box, now)
    return Withdrawal(wanted, share(wanted, bps), bps)


def taken(box: Moneybox, out: Withdrawal, now: datetime) -> Moneybox:
    """Give the box after a withdrawal; the last of its money closes it."""
    left = put(box, -out.amount, now)
    if left.balance < 0:
        raise InsufficientFunds(
            account_id=str(box.account.id), available=box.balance, needed=out.amount
        )
    return replace(left, status=Status.WITHDRAWN) if left.balance == 0 else left


def mature(box: Moneybox) -> Moneybox:
    """Let the time of a box be over: its bonus is in it, and nothing more is to come."""
    return replace(box, status=Status.MATURED, balance=box.balance + box.projected_bonus)


def liquidate(box: Moneybox) -> Moneybox:
    """Let a box be emptied, without bonus and without penalty."""
    return replace(box, status=Status.LIQUIDATED, balance=0)


def as_it_was(box: Moneybox, meta: Mapping[str, Any]) -> Moneybox:
    """Give the box as it was after a movement that noted `meta`."""
    return replace(
        box,
        status=Status(meta["status"]),
        autosave_percent=meta["autosave_percent"],
        balance=meta["balance"],
        money_days=meta["money_days"],
    )


def as_opened(box: Moneybox, autosave_percent: int) -> Moneybox:
    """Give the box as it was when it was opened with this percent."""
    return replace(
        box,
        status=Status.ACTIVE,
        autosave_percent=autosave_percent,
        lock_start_at=None,
        matures_at=None,
        balance=0,
        money_days=0,
    )


def moved(box: Moneybox, lines: Sequence[Line]) -> Moved:
    """Tell of one transaction's lines as it was told the first time."""
    amount = abs(sum(line.amount for line in lines))
    penalty = -sum(line.amount for line in lines if line.type is Movement.PENALTY)
    after = as_it_was(box, lines[0].meta)
    return Moved(after, lines[0].transaction_id, amount, penalty, amount - penalty)


def noted(box: Moneybox) -> dict[str, Any]:
    """Say what a movement notes of the box after it: all that may change later."""
    return {
        "status": box.status.value,
        "autosave_percent": box.autosave_percent,
        "balance": box.balance,
        "money_days": box.money_days,
    }


def swept(box: Moneybox | None, order: Order, *, frozen: bool, now: datetime) -> int:
    """Say how much of a commission a box takes for itself, in minor units, rounded down."""
    if box is None or box.asset != order.currency or frozen:
        return 0
    if box.status is not Status.ACTIVE or is_due(box, now):
        return 0
    return order.amount * box.autosave_percent // 100


def require_payable(order: Order, assets: Mapping[str, Asset]) -> None:
    """Let a commission be credited, or refuse by the first broken rule in this order."""
    asset = assets.get(order.currency)
    if asset is None:
        raise AssetUnknown(asset=order.currency)
    if not asset.transferable:
        raise AssetNotTransferable(asset=asset.code)
    own = (order.payer.owner_type, order.payer.owner_id) == (OwnerType.USER, order.user_id)
    if own or order.payer.purpose is Purpose.MONEYBOX:
        raise SameAccount


def liquidation_cause(state: State, since_at: datetime, now: datetime) -> str | None:
    """Say why a box may stand no longer, if so: its owner is gone, or was suspended too long."""
    if state in {State.BANNED, State.ERASED}:
        return state.value
    if state is State.SUSPENDED and now - since_at >= SUSPENSION_LASTS:
        return state.value
    return None


def credit(
    order: Order, box: Moneybox | None, swept: int, *, id: UUID, now: datetime
) -> Commission:
    """Say what is credited: once a source, whatever the key."""
    return Commission(
        id=id,
        user_id=order.user_id,
        amount=order.amount,
        currency=order.currency,
        autosaved_amount=swept,
        moneybox_id=box.id if box is not None and swept else None,
        source_type=order.source_type,
        source_id=order.source_id,
        transaction_id=id,
        created_at=now,
    )


def crediting(order: Order, box: Moneybox | None, swept: int) -> tuple[Leg, ...]:
    """Say what a commission moves: the payer's to the earner, a part of it into the box."""
    moves = [
        (of_user(order.user_id, asset=order.currency), order.amount - swept),
        (order.payer, -order.amount),
    ]
    if box is not None:
        moves.insert(1, (box.account, swept))
    return legs(moves)


def depositing(box: Moneybox, amount: int) -> tuple[Leg, ...]:
    """Say what a deposit moves."""
    return legs(((box.purse, -amount), (box.account, amount)))


def withdrawing(box: Moneybox, out: Withdrawal) -> tuple[Leg, ...]:
    """Say what a withdrawal moves."""
    revenue = of_platform(Purpose.REVENUE, box.asset)
    return legs(((box.account, -out.amount), (box.purse, out.net), (revenue, out.penalty)))


def maturing(box: Moneybox) -> tuple[Leg, ...]:
    """Say what maturing moves: nothing when there is no bonus."""
    funds = of_platform(Purpose.BONUS, box.asset)
    return legs(((box.account, box.projected_bonus), (funds, -box.projected_bonus)))


def liquidating(box: Moneybox) -> tuple[Leg, ...]:
    """Say what liquidating moves: nothing when the box is empty."""
    return legs(((box.account, -box.balance), (box.purse, box.balance)))
