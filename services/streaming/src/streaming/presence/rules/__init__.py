"""What presence allows and decides: admission, viewings, the wheel that ends them. Pure."""

from streaming.presence.rules.admission import (
    Joining,
    OwnBox,
    SessionGone,
    StreamNotLive,
    TooManySessions,
    ViewerBanned,
    admit,
)
from streaming.presence.rules.audience import Audience, Departure, Plan
from streaming.presence.rules.viewing import BoxFacts, Pace, Session, State, Watched
from streaming.presence.rules.wheel import Wheel

__all__ = [
    "Audience",
    "BoxFacts",
    "Departure",
    "Joining",
    "OwnBox",
    "Pace",
    "Plan",
    "Session",
    "SessionGone",
    "State",
    "StreamNotLive",
    "TooManySessions",
    "ViewerBanned",
    "Watched",
    "Wheel",
    "admit",
]
