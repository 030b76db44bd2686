"""Who may watch a box, and every way of saying no."""

from dataclasses import dataclass
from uuid import UUID

from hazina.problems import Kind, Problem
from streaming.box.rules import BoxClosed
from streaming.presence.rules.viewing import BoxFacts
from streaming.profile.rules import UNLIMITED, LimitReached, UserSuspended

SESSIONS_MAX = 5  # of one user in one box


class SessionGone(Problem, code="viewer.gone", kind=Kind.GONE):
    """This viewing is over; join again."""


class ViewerBanned(Problem, code="viewer.banned", kind=Kind.FORBIDDEN):
    """The host has banned you from their streams."""


class StreamNotLive(Problem, code="stream.not_live", kind=Kind.CONFLICT):
    """The stream is not live."""


class OwnBox(Problem, code="viewer.own_box", kind=Kind.CONFLICT):
    """A streamer is no viewer of their own box."""


class TooManySessions(Problem, code="viewer.too_many_sessions", kind=Kind.SPENT):
    """You watch this box in five sessions already."""


@dataclass(frozen=True, slots=True)
class Joining:
    """Somebody who wants to watch, with what is known of them and of the box."""

    viewer_id: UUID
    suspended: bool
    banned: bool
    box: BoxFacts
    viewers_max: int  # of the organisation; -1 is unlimited
    viewers: int  # the organisation's now, this one not counted
    new_viewer: bool  # not yet among them
    sessions: int  # of this user in this box


def admit(ask: Joining) -> None:
    """Let `ask` watch, or refuse by the first broken rule in this order."""
    if ask.suspended:
        raise UserSuspended
    if ask.banned:
        raise ViewerBanned
    if ask.box.stream_status != "live":
        raise StreamNotLive(state=ask.box.stream_status)
    if ask.box.status != "open":
        raise BoxClosed
    if ask.box.streamer_id == ask.viewer_id:
        raise OwnBox
    if ask.new_viewer and ask.viewers_max != UNLIMITED and ask.viewers >= ask.viewers_max:
        raise LimitReached(key="max_concurrent_viewers", limit=ask.viewers_max, used=ask.viewers)
    if ask.sessions >= SESSIONS_MAX:
        raise TooManySessions(limit=SESSIONS_MAX)
