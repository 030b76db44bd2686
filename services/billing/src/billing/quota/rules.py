"""What may be counted, and every way of saying no. Pure: no clock, no database, no chance."""

from dataclasses import asdict
from datetime import datetime

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
