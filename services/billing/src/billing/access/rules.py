"""What a snapshot and a count say about one feature. Pure: no clock, no database, no chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.catalog.rules import UNLIMITED, Enforcement, Reset, in_units
from hazina.problems import Kind, Problem


class FeatureUnknown(Problem, code="entitlement.feature_unknown", kind=Kind.UNKNOWN):
    """There is no such feature."""


@dataclass(frozen=True, slots=True)
class Entitled:
    """What an organisation may use, as its snapshot says."""

    org_id: UUID
    version: int
    plan: str
    limits: Mapping[str, int]
    features: Mapping[str, bool]
    statics: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Counted:
    """How a feature is counted: what the catalogue says of it."""

    reset: Reset = Reset.NEVER
    enforcement: Enforcement = "hard"
    requires: str | None = None
    unit: str | None = None
    event_type: str | None = None  # what counts on it; None for flags and for seats


@dataclass(frozen=True, slots=True)
class Count:
    """What was used, and what is set aside by open reservations."""

    used: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Access:
    """Whether a feature may be used, and why not; what does not apply is None."""

    org_id: UUID
    feature: str
    kind: str  # limit, flag or static
    allowed: bool
    plan: str
    snapshot_version: int
    reason: str | None = None
    limit: int | None = None
    used: int | None = None
    reserved: int | None = None
    remaining: int | None = None
    overage: int | None = None
    unit: str | None = None
    enforcement: str | None = None
    window_start: datetime | None = None
    resets_at: datetime | None = None


def look(
    entitled: Entitled,
    feature: str,
    counted: Counted,
    count: Count,
    *,
    quantity: int,
    window: tuple[datetime, datetime] | tuple[None, None],
) -> Access:
    """Say whether `quantity` more of `feature` may be used.

    Raises FeatureUnknown. A soft limit allows what goes over it, and shows how far it went.
    """
    about = (entitled.org_id, feature)
    snapshot = (entitled.plan, entitled.version)
    if feature in entitled.features:
        on = entitled.features[feature]
        reason = None if on else "entitlement.feature_unavailable"
        return Access(*about, "flag", on, *snapshot, reason)
    if feature in entitled.statics:
        value = entitled.statics[feature]
        return Access(*about, "static", True, *snapshot, limit=value)
    if feature not in entitled.limits:
        raise FeatureUnknown(feature=feature)
    limit = in_units(feature, entitled.limits[feature])
    used = max(count.used, 0)  # events may come out of order, and a level dip below zero
    held = used + count.reserved
    free = limit == UNLIMITED
    usable = counted.requires is None or entitled.features.get(counted.requires, False)
    room = free or counted.enforcement == "soft" or held + quantity <= limit
    full = "quota.level_full" if counted.reset is Reset.NEVER else "quota.limit_reached"
    return Access(
        *about,
        "limit",
        usable and room,
        *snapshot,
        reason=(None if room else full) if usable else "entitlement.feature_unavailable",
        limit=limit,
        used=used,
        reserved=count.reserved,
        remaining=UNLIMITED if free else max(0, limit - held),
        overage=0 if free else max(0, used - limit),
        unit=counted.unit,
        enforcement=counted.enforcement,
        window_start=window[0],
        resets_at=window[1],
    )
