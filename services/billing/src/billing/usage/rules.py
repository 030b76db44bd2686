"""How events add up. Pure: any order and any repeats come to the same."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from billing.catalog.rules import UNLIMITED, Reset, window

LEVEL_START = datetime(1970, 1, 1, tzinfo=UTC)  # a level has one window, from the epoch
THRESHOLDS = (50, 80, 100)  # percent of a limit, each told once a window
TURN = timedelta(minutes=5)  # around the end of a month two processes may see another month


@dataclass(frozen=True, slots=True)
class Fact:
    """Something was used; `source` and `event_id` together name it for ever."""

    org_id: UUID
    source: str
    event_id: str
    event_type: str
    quantity: int
    occurred_at: datetime
    user_id: UUID | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> UUID:
        """Give the name in the 16 bytes by which a repeat is found."""
        said = b"\0".join((self.source.encode(), self.event_id.encode()))
        return UUID(bytes=hashlib.sha256(said).digest()[:16])


@dataclass(frozen=True, slots=True)
class Meter:
    """On which meter events of one type count, and in which direction."""

    key: str
    sign: int


@dataclass(frozen=True, slots=True)
class Counter:
    """A limit of an organisation that a meter counts against, in the meter's units."""

    org_id: UUID
    feature: str
    meter: str
    reset: Reset
    anchor: datetime
    limit: int


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """A UTC day or month of one meter."""

    org_id: UUID
    meter: str
    period: str
    start: date


@dataclass(frozen=True, slots=True)
class Total:
    """What is in a bucket; `most` is the largest single quantity."""

    sum: int
    count: int
    most: int

    def __add__(self, other: "Total") -> "Total":
        return Total(self.sum + other.sum, self.count + other.count, max(self.most, other.most))


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A window of one feature; the end of a level is None."""

    org_id: UUID
    feature: str
    start: datetime
    end: datetime | None = field(compare=False)
    limit: int = field(compare=False)


def fold(facts: Iterable[Fact], meters: Mapping[str, Meter]) -> dict[Bucket, Total]:
    """Add facts up by day and month; types that no meter knows count nowhere."""
    found: dict[Bucket, Total] = {}
    for fact in facts:
        meter = meters.get(fact.event_type)
        if meter is None:
            continue
        day = fact.occurred_at.astimezone(UTC).date()
        one = Total(meter.sign * fact.quantity, 1, fact.quantity)
        for period, start in (("day", day), ("month", day.replace(day=1))):
            bucket = Bucket(fact.org_id, meter.key, period, start)
            found[bucket] = found[bucket] + one if bucket in found else one
    return found


def count(
    facts: Iterable[Fact], meters: Mapping[str, Meter], counters: Sequence[Counter]
) -> dict[Span, int]:
    """Add facts up by the window that each occurred in."""
    found: dict[Span, int] = {}
    for fact in facts:
        meter = meters.get(fact.event_type)
        for counter in counters:
            if meter is None or (counter.org_id, counter.meter) != (fact.org_id, meter.key):
                continue
            start, end = window(counter.reset, counter.anchor, fact.occurred_at)
            span = Span(fact.org_id, counter.feature, start or LEVEL_START, end, counter.limit)
            found[span] = found.get(span, 0) + meter.sign * fact.quantity
    return found


def reached(used: int, limit: int, told: int) -> int | None:
    """Give the highest threshold that `used` has reached, unless it or a higher one was told."""
    if limit == UNLIMITED or used <= 0:
        return None
    passed = [pct for pct in THRESHOLDS if used * 100 >= limit * pct]
    return passed[-1] if passed and passed[-1] > told else None


def month(now: datetime) -> date:
    """Give the first of the UTC month."""
    return now.astimezone(UTC).date().replace(day=1)


def turns(now: datetime) -> bool:
    """Tell whether another process may believe that it is another month."""
    return month(now - TURN) != month(now + TURN)
