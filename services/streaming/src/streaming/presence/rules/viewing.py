"""A viewing and the box it is of, as the owner's memory holds them. Pure."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from streaming.box.rules import Standing, Switched


@dataclass(frozen=True, slots=True)
class Pace:
    """How long presence waits for what, in seconds."""

    stale_after_s: float = 30
    closing_s: float = 5
    linger_s: float = 10
    warming_s: float = 45
    warming_max_s: float = 180


class State(StrEnum):
    """How surely a viewer is there; one that is gone has no state."""

    LIVE = "live"
    SUSPECT = "suspect"  # no pong, or closed by us
    CLOSING = "closing"  # the peer closed without saying that it leaves


@dataclass(frozen=True, slots=True)
class BoxFacts:
    """A box and its stream as the database holds them."""

    id: UUID
    stream_id: UUID
    org_id: UUID
    host_id: UUID
    streamer_id: UUID
    cell: int
    media_path: str
    stream_status: str
    status: str
    publish_policy: str
    is_published: bool
    publish_version: int
    publish_reason: str | None
    publish_changed_at: datetime
    acked_version: int
    publisher_state: str
    vacant_for_s: float | None
    revision: int  # grows with every change of the box, its stream or its publish state

    def switched(self, change: Switched) -> "BoxFacts":
        """Give these facts after a change of the publish state."""
        if change.version <= self.publish_version:
            return self
        return replace(
            self,
            is_published=change.is_published,
            publish_version=change.version,
            publish_reason=change.reason,
            publish_changed_at=change.occurred_at,
            vacant_for_s=None,
            revision=self.revision + change.version - self.publish_version,
        )

    @property
    def ended(self) -> str | None:
        """Why nobody can watch it any more, if that is so."""
        if self.stream_status == "ended":
            return "stream_ended"
        return "box_closed" if self.status == "closed" else None

    @property
    def standing(self) -> Standing:
        """What the publish decision asks about it."""
        why_not = self.ended or ("paused" if self.publish_policy == "paused" else None)
        if why_not is None and self.stream_status != "live":
            why_not = "not_live"
        return Standing(why_not, self.is_published, self.publish_reason)


@dataclass(slots=True, eq=False)
class Watched:
    """A box with everybody who watches it. Counts are sizes of sets, never added up."""

    facts: BoxFacts
    sessions: dict[UUID, "Session"] = field(default_factory=dict)
    viewers: dict[UUID, int] = field(default_factory=dict)  # by user: in how many sessions
    vacant_at: float | None = None  # monotonic

    @property
    def id(self) -> UUID:
        return self.facts.id

    def sessions_of(self, viewer_id: UUID) -> int:
        """Tell in how many sessions a user watches."""
        return self.viewers.get(viewer_id, 0)


@dataclass(slots=True, eq=False)
class Session:
    """One viewing of one box by one client."""

    id: UUID
    box: Watched
    viewer_id: UUID
    sid: str
    joined_at: datetime
    row: int  # of the wheel; -1 when it is over
    state: State = State.LIVE
    generation: int = 1
    unheard: bool = False  # loaded from the mirror and silent since
