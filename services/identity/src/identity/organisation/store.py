"""The SQL of organisations. Reads and writes; decides nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, insert, select, text, update
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

MEMBER = text("""
    select m.user_id, p.username, p.display_name, p.avatar_url, m.role, m.mv, m.joined_at
      from organization_members m left join profiles p on p.id = m.user_id
     where m.org_id = :org and m.user_id = :user
""")


async def add_organisation(
    tx: Transaction,
    org: Organisation,
    *,
    description: str | None = None,
    avatar_url: str | None = None,
) -> bool:
    """Write a new organisation; False, and nothing written, when its slug is taken."""
    values = {
        "id": org.id,
        "name": org.name,
        "slug": org.slug,
        "org_type": org.org_type,
        "is_personal": org.is_personal,
        "owner_id": org.owner_id,
        "version": org.version,
        "description": description,
        "avatar_url": avatar_url,
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


async def lock_organisation(tx: Transaction, id: UUID) -> tuple[Organisation, list[Membership]]:
    """Read an organisation and its members, the longest-standing first, and hold them."""
    org, member = organizations, organization_members
    columns = (org.c.id, org.c.name, org.c.slug, org.c.org_type, org.c.is_personal)
    found = select(*columns, org.c.owner_id, org.c.version).where(org.c.id == id)
    row = (await tx.execute(found.where(org.c.status == "active").with_for_update())).one_or_none()
    if row is None:
        raise OrgUnknown
    active = select(member.c.org_id, member.c.user_id, member.c.role, member.c.mv).where(
        member.c.org_id == id, member.c.status == "active"
    )
    oldest_first = active.order_by(member.c.joined_at, member.c.user_id).with_for_update()
    members = await tx.execute(oldest_first)
    return Organisation(**row._asdict()), [Membership(**each._asdict()) for each in members]


async def set_member(tx: Transaction, member: Membership, *, removed_at: datetime | None) -> None:
    """Write a member's role and version; with `removed_at` they belong no longer."""
    mine = (
        organization_members.c.org_id == member.org_id,
        organization_members.c.user_id == member.user_id,
    )
    status = "active" if removed_at is None else "removed"
    values = {"role": member.role, "mv": member.mv, "status": status, "removed_at": removed_at}
    await tx.execute(update(organization_members).where(*mine).values(values))


async def set_owner(tx: Transaction, id: UUID, owner_id: UUID) -> None:
    """Write who owns an organisation, raising its version."""
    org = organizations
    values = {"owner_id": owner_id, "version": org.c.version + 1}
    changed = func.clock_timestamp()
    await tx.execute(update(org).where(org.c.id == id).values(**values, updated_at=changed))


async def read_member(tx: Transaction, org_id: UUID, user_id: UUID) -> Row[Any]:
    """Read somebody's place in an organisation, with the names that others see."""
    row: Row[Any] = (await tx.execute(MEMBER, {"org": org_id, "user": user_id})).one()
    return row


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
