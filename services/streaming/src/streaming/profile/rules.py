"""What is known of people and limits, and the refusals that every capability shares. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hazina.problems import Kind, Problem

UNLIMITED = -1


class ProfileUnknown(Problem, code="profile.unknown", kind=Kind.UNKNOWN):
    """There is no such person."""


class UserSuspended(Problem, code="user.suspended", kind=Kind.FORBIDDEN):
    """Your account is suspended."""


class LimitReached(Problem, code="entitlement.limit_reached", kind=Kind.FORBIDDEN):
    """The organisation's plan allows no more of these."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who somebody is, for those who see them."""

    profile_id: UUID
    username: str | None
    display_name: str | None
    avatar_url: str | None


@dataclass(frozen=True, slots=True)
class Profile(Person):
    """A person with what they did here."""

    follower_count: int
    following_count: int
    total_gifts_received: int
    total_gifts_sent: int
    supporter: bool
    is_live: bool
    live_stream_id: UUID | None


def limit(limits: Mapping[str, Any] | None, key: str, default: int) -> int:
    """Give an organisation's limit; the service's own where billing has set none."""
    found = (limits or {}).get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else default
