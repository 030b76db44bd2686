"""What follows from a plan and from grants. Pure: the same facts give the same digest."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from billing.catalog.rules import UNLIMITED

SEATS = "max_seats"
LIKE_FREE = frozenset({"unpaid", "paused"})  # a plan that is not paid for gives what Free gives
NOBODY = UUID(int=0)  # whose snapshot stands for organisations that nobody has heard of


@dataclass(frozen=True, slots=True)
class Terms:
    """What one version of a plan allows."""

    plan: str
    plan_version: int
    limits: Mapping[str, int]
    features: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Standing:
    """An organisation's live subscription, as far as it decides what may be used."""

    org_id: UUID
    status: str
    terms: Terms
    extra_seats: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """Something given beside the plan: exactly one of the four."""

    feature_key: str
    flag: bool | None = None
    add: int | None = None
    set: int | None = None
    static: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an organisation may use. Its `version` rises only when the digest changes."""

    org_id: UUID
    version: int
    plan: str
    plan_version: int
    status: str
    limits: Mapping[str, int]
    features: Mapping[str, bool]
    statics: Mapping[str, int]
    over_limit: tuple[str, ...]
    digest: str


def settle(
    standing: Standing,
    *,
    free: Terms,
    grants: Iterable[Grant] = (),
    levels: Mapping[str, int] = {},
    before: Snapshot | None = None,
) -> Snapshot:
    """Say what the organisation may use: the plan, then grants, each the generous way.

    Flags are OR'ed, limits added up (any -1 wins), statics take the largest; a `set` replaces.
    `levels` is what stands of each feature that is never reset.
    """
    terms = free if standing.status in LIKE_FREE else standing.terms
    given = list(grants)
    limits = _limits(terms, standing.extra_seats, given)
    flags = dict(terms.features) | {g.feature_key: True for g in given if g.flag}
    statics: dict[str, int] = {}
    for grant in given:
        if grant.static is not None:
            known = statics.get(grant.feature_key, grant.static)
            statics[grant.feature_key] = max(known, grant.static)
    over = tuple(sorted(key for key, used in levels.items() if exceeds(used, limits.get(key))))
    facts = (terms.plan, terms.plan_version, standing.status, limits, flags, statics, over)
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    if before is not None and before.digest == digest:
        return before
    version = 1 if before is None else before.version + 1
    return Snapshot(standing.org_id, version, *facts, digest)


def exceeds(used: int, limit: int | None) -> bool:
    """Tell whether more is used than allowed; -1 allows everything and enters no arithmetic."""
    return limit is not None and limit != UNLIMITED and used > limit


def sum_of(limits: Iterable[int]) -> int:
    """Add limits up; one that is unlimited makes all of it so."""
    each = list(limits)
    return UNLIMITED if UNLIMITED in each else sum(each)


def _limits(terms: Terms, extra_seats: int, grants: list[Grant]) -> dict[str, int]:
    parts: dict[str, list[int]] = {key: [limit] for key, limit in terms.limits.items()}
    parts.setdefault(SEATS, [0]).append(extra_seats)
    replaced: dict[str, list[int]] = {}
    for grant in grants:
        if grant.add is not None:
            parts.setdefault(grant.feature_key, []).append(grant.add)
        if grant.set is not None:
            replaced.setdefault(grant.feature_key, []).append(grant.set)
    summed = {key: sum_of(each) for key, each in parts.items()}
    generous = {
        key: UNLIMITED if UNLIMITED in each else max(each) for key, each in replaced.items()
    }
    return summed | generous
