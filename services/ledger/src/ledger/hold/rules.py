"""What may become of money that was set aside. Pure: no clock, no database, no chance."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from hazina.problems import Kind, Problem
from ledger.account.rules import Account, Mover
from ledger.posting.rules import Leg


class HoldUnknown(Problem, code="hold.unknown", kind=Kind.UNKNOWN):
    """There is no such hold, or not for you."""


class AmountTooLarge(Problem, code="hold.amount_too_large", kind=Kind.INVALID):
    """That is more than was set aside."""


class HoldExpired(Problem, code="hold.expired", kind=Kind.CONFLICT):
    """The time of this hold is over."""


class HoldNotPending(Problem, code="hold.not_pending", kind=Kind.CONFLICT):
    """This hold was captured, given back or ended before."""


class Status(StrEnum):
    """What became of a hold."""

    PENDING = "pending"
    CAPTURED = "captured"
    VOIDED = "voided"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Hold:
    """An amount of one account that waits to become another's, in minor units."""

    id: UUID
    payer: Account
    payee: Account
    amount: int
    captured: int
    status: Status
    expires_at: datetime
    transaction_id: UUID | None
    reference: str | None


def place(
    payer: Account,
    payee: Account,
    amount: int,
    *,
    lasts: timedelta,
    now: datetime,
    id: UUID,
    reference: str | None,
) -> Hold:
    """Set an amount aside until a time."""
    return Hold(id, payer, payee, amount, 0, Status.PENDING, now + lasts, None, reference)


def may_end(mover: Mover, hold: Hold) -> bool:
    """Say whether the mover may capture or void: who can spend it, or whose it would become."""
    return mover.may_spend(hold.payer) or mover.may_spend(hold.payee)


def capture(hold: Hold, amount: int | None, now: datetime) -> int:
    """Let a hold be captured once, whole or in part; give how much, or refuse in this order."""
    wanted = hold.amount if amount is None else amount
    if wanted > hold.amount:
        raise AmountTooLarge(amount=hold.amount)
    require_pending(hold, now)
    return wanted


def require_pending(hold: Hold, now: datetime) -> None:
    """Refuse a hold that has ended; by the clock, whether or not anybody swept it up."""
    if hold.status is Status.EXPIRED or (hold.status is Status.PENDING and now >= hold.expires_at):
        raise HoldExpired(expires_at=hold.expires_at.isoformat())
    if hold.status is not Status.PENDING:
        raise HoldNotPending(state=hold.status)


def placing(hold: Hold) -> tuple[Leg, ...]:
    """Say what setting aside does: nothing moves, less is available."""
    return (Leg(hold.payer, 0, hold.amount),)


def capturing(hold: Hold, amount: int) -> tuple[Leg, ...]:
    """Say what capturing does: `amount` moves, all that was held is free again."""
    return (Leg(hold.payer, -amount, -hold.amount), Leg(hold.payee, amount))


def freeing(hold: Hold) -> tuple[Leg, ...]:
    """Say what voiding or expiring does: what was held is free again."""
    return (Leg(hold.payer, 0, -hold.amount),)
