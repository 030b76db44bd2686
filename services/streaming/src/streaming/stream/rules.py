"""What a stream allows, and how live ones are ranked. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from hazina.problems import Kind, Problem
from streaming.box.rules import StreamEnded, StreamNotYours, StreamUnknown
from streaming.profile.rules import UserSuspended

# Refusals that boxes have too, said here by the same names.
__all__ = ["StreamEnded", "StreamNotYours", "StreamUnknown"]

HOSTING_ROLES = frozenset({"owner", "member"})
STAFF = frozenset({"admin", "super_admin"})
POPULAR_VIEWERS = 8
NEW_FOR = timedelta(minutes=10)


class RoleTooLow(Problem, code="org.role_too_low", kind=Kind.FORBIDDEN):
    """Your role in the organisation does not allow this."""


class AlreadyLive(Problem, code="stream.already_live", kind=Kind.CONFLICT):
    """You are live in another stream."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as it stands inside one transaction."""

    id: UUID
    profile_id: UUID
    org_id: UUID
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    settled_at: datetime | None


def allow_hosting(org_role: str | None, *, suspended: bool) -> None:
    """Let somebody announce a stream, or refuse in this order."""
    if suspended:
        raise UserSuspended
    if org_role not in HOSTING_ROLES:
        raise RoleTooLow


def start(stream: Stream, caller: UUID, live_stream_id: UUID | None) -> bool:
    """Let the host go live, or refuse in this order; False when the stream is live already."""
    if caller != stream.profile_id:
        raise StreamNotYours
    if stream.status == "ended":
        raise StreamEnded
    if stream.status == "live":
        return False
    if live_stream_id is not None:
        raise AlreadyLive(live_stream_id=str(live_stream_id))
    return True


def end(stream: Stream, caller: UUID, *, staff: bool, owns_org: bool) -> str | None:
    """Give the reason of an end that the caller may bring about; None when it has ended already.

    The host ends it, or whoever may moderate it; one that never began is cancelled.
    """
    if caller != stream.profile_id and not (staff or owns_org):
        raise StreamNotYours
    if stream.status == "ended":
        return None
    if caller != stream.profile_id:
        return "moderator"
    return "host" if stream.status == "live" else "cancelled"


def change(stream: Stream, caller: UUID) -> None:
    """Let the host change what is said of a stream, or refuse in this order."""
    if caller != stream.profile_id:
        raise StreamNotYours
    if stream.status == "ended":
        raise StreamEnded


def reasons(*, viewers: int, started_at: datetime, coins_60s: int, now: datetime) -> list[str]:
    """Say why a live stream is recommended."""
    found = []
    if viewers >= POPULAR_VIEWERS:
        found.append("popular")
    if now - started_at < NEW_FOR:
        found.append("new")
    if coins_60s > 0:
        found.append("gifts")
    return found
