"""What may be counted, and every way of saying no. Pure: no clock, no database, no chance."""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from billing.access.rules import Access, Counted, Entitled, FeatureUnknown
from hazina.problems import Kind, Problem


class NotCountable(Problem, code="quota.not_countable", kind=Kind.INVALID):
    """The feature is not counted by use: flags, seats and active users are not."""


class FeatureUnavailable(Problem, code="entitlement.feature_unavailable", kind=Kind.FORBIDDEN):
    """The organisation's plan does not have this feature."""


class LevelFull(Problem, code="quota.level_full", kind=Kind.CONFLICT):
    """The limit is reached."""


class LimitReached(Problem, code="quota.limit_reached", kind=Kind.SPENT):
    """The limit is reached until the window ends."""


class ReservationUnknown(Problem, code="quota.reservation_unknown", kind=Kind.UNKNOWN):
    """There is no such reservation, or not for you."""


class ReservationClosed(Problem, code="quota.reservation_closed", kind=Kind.CONFLICT):
    """The reservation was settled for good."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Use that was promised; what is open of it is held back from everybody else."""

    id: UUID
    org_id: UUID
    feature: str
    window_start: datetime
    amount: int
    settled: int
    status: str

    @property
    def held(self) -> int:
        """How much is still set aside: nothing once it is closed or expired."""
        return max(0, self.amount - self.settled) if self.status == "open" else 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """A reservation after some of it was used: what of it is free again, and what it came to."""

    id: UUID
    amount: int
    settled: int
    status: str
    freed: int
    overrun: int  # how much more was used than promised; it counts all the same


REFUSALS: dict[str | None, type[Problem]] = {
    problem.code: problem for problem in (FeatureUnavailable, LevelFull, LimitReached)
}


def require_countable(entitled: Entitled, counted: Counted, feature: str) -> str:
    """Give the type of event that counts on a feature, or refuse one that nothing counts on.

    Raises FeatureUnknown, NotCountable.
    """
    if not any(
        feature in known for known in (entitled.limits, entitled.features, entitled.statics)
    ):
        raise FeatureUnknown(feature=feature)
    if feature not in entitled.limits or counted.event_type is None:
        raise NotCountable(feature=feature)
    return counted.event_type


def require(seen: Access, now: datetime) -> None:
    """Refuse what is not allowed, with all that is known about it.

    Raises FeatureUnavailable, LevelFull, LimitReached.
    """
    if seen.allowed:
        return
    facts = asdict(seen) | {"org_id": str(seen.org_id)}
    if seen.resets_at is not None:
        facts |= {"retry_after_s": max(1, int((seen.resets_at - now).total_seconds()))}
    raise REFUSALS[seen.reason](**facts)


def grant(seen: Access, quantity: int, *, partial: bool, now: datetime) -> int:
    """Give how much is set aside: all of `quantity`, or with `partial` what is left of it.

    Raises as `require` does where that is nothing.
    """
    if partial and not seen.allowed and seen.remaining and seen.reason != FeatureUnavailable.code:
        return seen.remaining
    require(seen, now)
    return quantity


def settle(reservation: Reservation, quantity: int, *, final: bool) -> Settlement:
    """Say what becomes of a reservation when `quantity` was used of it, for good if `final`.

    What was used is never refused: more than was promised, and after expiry too, it counts.
    Raises ReservationClosed.
    """
    if reservation.status == "settled":
        raise ReservationClosed(reservation_id=str(reservation.id))
    settled = reservation.settled + quantity
    freed = reservation.held if final else min(reservation.held, quantity)
    return Settlement(
        id=reservation.id,
        amount=reservation.amount,
        settled=settled,
        status="settled" if final else reservation.status,
        freed=freed,
        overrun=max(0, settled - reservation.amount),
    )
