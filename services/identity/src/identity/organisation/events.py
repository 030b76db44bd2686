"""What organisations tell the other services."""

from typing import Literal
from uuid import UUID

from hazina.outbox import Event

Role = Literal["owner", "member", "viewer"]


class OrgCreated(Event, type="identity.org.created", version=1, key="org_id"):
    """An organisation was founded."""

    org_id: UUID
    version: int
    name: str
    slug: str
    org_type: Literal["personal", "business", "family", "education", "other"]
    is_personal: bool
    owner_id: UUID


class MemberAdded(Event, type="identity.member.added", version=1, key="org_id"):
    """Somebody joined an organisation."""

    org_id: UUID
    user_id: UUID
    role: Role
    mv: int


class MemberRoleChanged(Event, type="identity.member.role_changed", version=1, key="org_id"):
    """Somebody's role in an organisation changed; tokens with a lower mv are stale."""

    org_id: UUID
    user_id: UUID
    role: Role
    mv: int


class MemberRemoved(Event, type="identity.member.removed", version=1, key="org_id"):
    """Somebody left an organisation, or was taken out of it; `role` is the one they had."""

    org_id: UUID
    user_id: UUID
    role: Role
    mv: int
