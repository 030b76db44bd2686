"""The SQL of organisations. Reads and writes; decides nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from hazina.pg import Transaction
from identity.organisation.rules import Membership, Organisation, OrgUnknown, Place
from identity.tables import organization_members, organizations

# Names come from the view that everybody may read; it shows active users only.
MEMBERS = text("""
    select m.user_id, p.username, p.display_name, p.avatar_url, m.role, m.mv, m.joined_at
      from organization_members m left join profiles p on p.id = m.user_id
     where m.org_id = :org and m.status = 'active'
       and (cast(:after as uuid) is null or m.user_id > :after)
     order by m.user_id limit :rows
""")


async def add_organisation(tx: Transaction, org: Organisation) -> bool:
    """Write a new organisation; False, and nothing written, when its slug is taken."""
    values = {
        "id": org.id,
        "name": org.name,
        "slug": org.slug,
        "org_type": org.org_type,
        "is_personal": org.is_personal,
        "owner_id": org.owner_id,
        "version": org.version,
    }
    free = upsert(organizations).values(values).on_conflict_do_nothing(index_elements=["slug"])
    added = await tx.execute(free.returning(organizations.c.id))
    return added.one_or_none() is not None


async def add_member(tx: Transaction, member: Membership, joined_at: datetime) -> None:
    """Write a new membership."""
    await tx.execute(
        insert(organization_members).values(
            org_id=member.org_id,
            user_id=member.user_id,
            role=member.role,
            mv=member.mv,
            status="active",
            joined_at=joined_at,
        )
    )


async def is_slug_taken(tx: Transaction, slug: str) -> bool:
    """Tell whether an organisation has this slug."""
    found = await tx.execute(select(organizations.c.id).where(organizations.c.slug == slug))
    return found.first() is not None


def _places(user_id: UUID) -> Select[Any]:
    org, member = organizations, organization_members
    return (
        select(
            org.c.id,
            org.c.slug,
            org.c.org_type.label("type"),
            member.c.role,
            member.c.mv,
        )
        .join(member, member.c.org_id == org.c.id)
        .where(member.c.user_id == user_id, member.c.status == "active", org.c.status == "active")
    )


async def find_place(tx: Transaction, user_id: UUID, org_id: UUID) -> Place | None:
    """Read a user's standing in an organisation, if they belong to it."""
    row = (await tx.execute(_places(user_id).where(organizations.c.id == org_id))).one_or_none()
    return None if row is None else Place(*row)


async def read_personal(tx: Transaction, user_id: UUID) -> Place:
    """Read a user's standing in their own organisation, which is always there."""
    mine = (organizations.c.is_personal, organizations.c.owner_id == user_id)
    return Place(*(await tx.execute(_places(user_id).where(*mine))).one())


def _shown(user_id: UUID) -> Select[Any]:
    org, member = organizations, organization_members
    return (
        select(org, member.c.role.label("my_role"))
        .join(member, member.c.org_id == org.c.id)
        .where(member.c.user_id == user_id, member.c.status == "active", org.c.status == "active")
    )


async def list_organisations(
    tx: Transaction, user_id: UUID, *, after: UUID | None, rows: int
) -> Sequence[Row[Any]]:
    """Read the organisations that a user belongs to, by id, each with their role in it."""
    wanted = _shown(user_id).order_by(organizations.c.id).limit(rows)
    if after is not None:
        wanted = wanted.where(organizations.c.id > after)
    found: Sequence[Row[Any]] = (await tx.execute(wanted)).all()
    return found


async def read_organisation(tx: Transaction, user_id: UUID, org_id: UUID) -> Row[Any]:
    """Read an organisation that the user belongs to, with their role in it."""
    found = await tx.execute(_shown(user_id).where(organizations.c.id == org_id))
    row: Row[Any] | None = found.one_or_none()
    if row is None:
        raise OrgUnknown
    return row


async def list_members(
    tx: Transaction, org_id: UUID, *, after: UUID | None, rows: int
) -> Sequence[Row[Any]]:
    """Read who belongs to an organisation, by user id."""
    return (await tx.execute(MEMBERS, {"org": org_id, "after": after, "rows": rows})).all()
