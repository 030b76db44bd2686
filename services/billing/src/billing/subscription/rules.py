"""What a subscription is and how it begins. Pure: no clock, no database, no chance."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.catalog.rules import MONTHS, UNLIMITED, period

LIVE = ("trialing", "active", "past_due", "paused", "unpaid")


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan a subscription is to be pinned to."""

    id: UUID
    code: str
    version: int
    seats: int  # its own; -1 is unlimited


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as it begins."""

    id: UUID
    org_id: UUID
    plan: Plan
    provider: str
    status: str
    interval: str
    extra_seats: int
    anchor_at: datetime
    current_period_start: datetime
    current_period_end: datetime


def start_free(org_id: UUID, plan: Plan, now: datetime, *, id: UUID) -> Subscription:
    """Begin the subscription that every organisation has until it pays for another."""
    start, end = period(now, now)
    return Subscription(
        id=id,
        org_id=org_id,
        plan=plan,
        provider="none",
        status="active",
        interval="month",
        extra_seats=0,
        anchor_at=now,
        current_period_start=start,
        current_period_end=end,
    )


def seats(plan_seats: int, extra: int) -> int:
    """Give all the seats there are: the plan's own and those bought beside; -1 is unlimited."""
    return UNLIMITED if plan_seats == UNLIMITED else plan_seats + extra


def roll(anchor_at: datetime, interval: str, now: datetime) -> tuple[datetime, datetime]:
    """Give the period that a subscription is in now, however many have passed."""
    return period(anchor_at, now, months=MONTHS[interval])
