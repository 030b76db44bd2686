"""What sessions tell the other services."""

from datetime import datetime
from uuid import UUID

from hazina.outbox import Event


class SessionRevoked(Event, type="identity.session.revoked", version=1, key="user_id"):
    """Sessions of a user were ended; tokens of theirs are to be refused from now on."""

    user_id: UUID
    session_ids: tuple[UUID, ...]
    reason: str
    revoked_at: datetime
