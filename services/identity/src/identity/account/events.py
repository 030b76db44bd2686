"""What accounts tell the other services."""

from datetime import datetime
from uuid import UUID

from hazina.outbox import Event


class UserRegistered(Event, type="identity.user.registered", version=1, key="user_id"):
    """Somebody signed up; their own organisation is there already."""

    user_id: UUID
    version: int
    username: str | None
    display_name: str
    locale: str
    marketplace_role: str
    account_type: str
    personal_org_id: UUID
    registered_at: datetime


class UserProfileChanged(Event, type="identity.user.profile_changed", version=1, key="user_id"):
    """What others show of a user changed."""

    user_id: UUID
    version: int
    username: str | None
    display_name: str
    avatar_url: str | None
    locale: str
