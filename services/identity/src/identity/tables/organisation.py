"""Who owns and who belongs: organisations, and every user's personal one."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from identity.tables.metadata import at, created_at, metadata


def _updated_at() -> "Column[datetime]":
    now = text("clock_timestamp()")
    return Column("updated_at", DateTime(timezone=True), nullable=False, server_default=now)


organizations = Table(
    "organizations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("slug", Text, nullable=False),
    Column("org_type", Text, nullable=False),
    Column("is_personal", Boolean, nullable=False),
    Column("owner_id", ForeignKey("users.id"), nullable=False, comment="Always an active owner."),
    Column("description", Text),
    Column("avatar_url", Text),
    Column("settings", JSONB, nullable=False, server_default=text("'{}'")),
    Column("status", Text, nullable=False, server_default="active"),
    Column("version", BigInteger, nullable=False, comment="Rises with every change: the ETag."),
    created_at(),
    _updated_at(),
    UniqueConstraint("slug", name="organizations_slug_is_one"),
    Index(
        "organizations_one_personal", "owner_id", unique=True, postgresql_where=text("is_personal")
    ),
    CheckConstraint("slug ~ '^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$'", name="organizations_slug_shape"),
    CheckConstraint(
        "org_type in ('personal', 'business', 'family', 'education', 'other')",
        name="organizations_org_type",
    ),
    CheckConstraint("is_personal = (org_type = 'personal')", name="organizations_personal"),
    CheckConstraint("status in ('active', 'deleted')", name="organizations_status"),
    CheckConstraint("not is_personal or status = 'active'", name="organizations_personal_stays"),
    comment="Who is billed and who owns; everybody has a personal one.",
)

organization_members = Table(
    "organization_members",
    metadata,
    Column("org_id", ForeignKey("organizations.id"), primary_key=True),
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("role", Text, nullable=False),
    Column("mv", BigInteger, nullable=False, comment="Rises with every change; tokens carry it."),
    Column("status", Text, nullable=False),
    at("joined_at", nullable=False),
    at("removed_at"),
    created_at(),
    CheckConstraint("role in ('owner', 'member', 'viewer')", name="organization_members_role"),
    CheckConstraint("status in ('active', 'removed')", name="organization_members_status"),
    CheckConstraint("mv > 0", name="organization_members_mv"),
    Index("organization_members_user", "user_id"),
    comment="Who belongs where. Rows stay after a removal, so that mv only rises.",
)
