"""What a stream tells the other services."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from hazina.outbox import Event


class StreamStarted(Event, type="streaming.stream.started", version=1, key="stream_id"):
    """A host went live."""

    stream_id: UUID
    org_id: UUID
    profile_id: UUID
    title: str
    started_at: datetime


class StreamEnded(Event, type="streaming.stream.ended", version=1, key="stream_id"):
    """A stream has ended and every viewing of it is counted."""

    stream_id: UUID
    org_id: UUID
    profile_id: UUID
    reason: Literal[
        "host",
        "moderator",
        "cancelled",
        "publisher_lost",
        "too_long",
        "host_suspended",
        "org_deleted",
    ]
    started_at: datetime | None
    ended_at: datetime
    duration_s: int
    watched_s: int
    peak: int
    gift_coins: int
    gift_count: int
