"""What a box tells the other services."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from hazina.outbox import Event


class Publishing(Event):
    """A box's publish state changed."""

    box_id: UUID
    stream_id: UUID
    org_id: UUID
    streamer_id: UUID
    version: int
    viewers: int
    occurred_at: datetime


class BoxPublished(Publishing, type="streaming.box.published", version=1, key="box_id"):
    """A box's camera is to run: somebody watches."""

    reason: Literal["first_viewer", "resumed", "reconciled"]


class BoxUnpublished(Publishing, type="streaming.box.unpublished", version=1, key="box_id"):
    """A box's camera is to stop."""

    reason: Literal["no_viewers", "paused", "box_closed", "stream_ended", "reconciled"]
