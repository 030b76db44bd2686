"""What presence tells the other services."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from hazina.outbox import Event

ITEMS_MAX = 500


class Left(BaseModel):
    """One viewing that is over, counted once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: UUID
    viewer_id: UUID
    joined_at: datetime
    left_at: datetime
    watched_s: int
    reason: Literal["left", "timeout", "closed", "kicked", "box_closed", "stream_ended"]


class ViewerLeft(Event, type="streaming.viewer.left", version=1, key="box_id"):
    """Viewings of a box are over, as many as ended together."""

    box_id: UUID
    stream_id: UUID
    org_id: UUID
    items: Annotated[tuple[Left, ...], Field(min_length=1, max_length=ITEMS_MAX)]
