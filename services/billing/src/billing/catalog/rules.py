"""What a plan may be made of, and how time is cut into periods. Pure."""

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from hazina.problems import Kind, Problem

UNLIMITED = -1
FLAGS = "features"  # the key of the row that holds a plan's flags
FLAG_NAME = re.compile(r"[a-z][a-z0-9_]{1,62}")
GB = 10**9
BYTES = {"max_storage_gb": GB}  # told in gigabytes where plans are read, counted in bytes
MONTHS = {"month": 1, "year": 12}

Enforcement = Literal["hard", "soft"]


class PlanUnknown(Problem, code="catalog.plan_unknown", kind=Kind.UNKNOWN):
    """There is no such plan, or no such version of it."""


class FeatureUnknown(Problem, code="catalog.feature_unknown", kind=Kind.UNKNOWN):
    """The plan has no such feature."""


class LimitInvalid(Problem, code="catalog.limit_invalid", kind=Kind.INVALID):
    """A limit is a whole number from -1 (unlimited); flags are kept in the row `features` only."""


class Reset(StrEnum):
    """When a count begins anew."""

    NEVER = "never"  # a level: what stands until it is taken away
    MONTH = "month"  # from the subscription's anchor
    CALENDAR_MONTH = "calendar_month"  # from the first of the month, UTC


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of what a plan allows."""

    plan_id: UUID
    feature_key: str
    limit_value: int | None
    flags: Mapping[str, bool]
    meter_key: str | None
    reset_interval: Reset
    enforcement: Enforcement
    requires: str | None
    row_version: int


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be changed of a feature; None stays as it is."""

    limit: int | None = None
    flags: Mapping[str, bool] | None = None
    enforcement: Enforcement | None = None


def edit(feature: Feature, asked: Edit) -> Feature:
    """Give the feature as it shall be, or refuse what a row of its sort cannot hold."""
    holds_flags = feature.feature_key == FLAGS
    if asked.limit is not None and (holds_flags or asked.limit < UNLIMITED):
        raise LimitInvalid(limit=asked.limit)
    if asked.flags is not None:
        odd = sorted(name for name in asked.flags if not FLAG_NAME.fullmatch(name))
        if odd or not holds_flags:
            raise LimitInvalid(flags=odd or sorted(asked.flags))
    return Feature(
        plan_id=feature.plan_id,
        feature_key=feature.feature_key,
        limit_value=feature.limit_value if asked.limit is None else asked.limit,
        flags=feature.flags if asked.flags is None else {**feature.flags, **asked.flags},
        meter_key=feature.meter_key,
        reset_interval=feature.reset_interval,
        enforcement=asked.enforcement or feature.enforcement,
        requires=feature.requires,
        row_version=feature.row_version,
    )


def in_units(feature: str, limit: int) -> int:
    """Give a limit in the units in which it is counted; -1 stays what it is."""
    return limit if limit == UNLIMITED else limit * BYTES.get(feature, 1)


def step(anchor: datetime, months: int) -> datetime:
    """Go `months` on from `anchor` in UTC; a day the month does not have is its last one."""
    anchor = anchor.astimezone(UTC)
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    day = min(anchor.day, calendar.monthrange(year, month + 1)[1])
    return anchor.replace(year=year, month=month + 1, day=day)


def period(anchor: datetime, now: datetime, *, months: int = 1) -> tuple[datetime, datetime]:
    """Give the period of `months` that `now` lies in, stepped from `anchor`.

    Each end is computed from the anchor itself, so that 31 January, 28 February, 31 March follow.
    """
    anchor, now = anchor.astimezone(UTC), now.astimezone(UTC)
    passed = (now.year - anchor.year) * 12 + now.month - anchor.month
    number = passed // months
    if step(anchor, number * months) > now:
        number -= 1
    return step(anchor, number * months), step(anchor, (number + 1) * months)


def window(
    reset: Reset, anchor: datetime, now: datetime
) -> tuple[datetime, datetime] | tuple[None, None]:
    """Give the window in which something is counted now; a level has none."""
    if reset is Reset.NEVER:
        return None, None
    if reset is Reset.CALENDAR_MONTH:
        anchor = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return period(anchor, now)
