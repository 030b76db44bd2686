"""Organisations over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from hazina.auth import Signed
from hazina.chassis import Db, Page, Paged, Wire, etag, refuses
from identity.organisation import actions, store
from identity.organisation.rules import OrgType, OrgUnknown, Reason, Role

router = APIRouter(tags=["organisation"])


class OrgRead(Wire):
    """An organisation, and the caller's role in it."""

    id: UUID
    name: str
    slug: str
    org_type: OrgType
    is_personal: bool
    owner_id: UUID
    description: str | None
    avatar_url: str | None
    settings: dict[str, object]
    status: str
    version: int
    created_at: datetime
    updated_at: datetime
    my_role: Role


class MemberRead(Wire):
    """Somebody who belongs; a user who is not active shows no name."""

    user_id: UUID
    username: str | None
    display_name: str | None
    avatar_url: str | None
    role: Role
    mv: int
    joined_at: datetime


class AvailabilityRead(Wire):
    """Whether a name can be had, and why not."""

    value: str
    available: bool
    reason: Reason | None


@router.get("/orgs")
async def get_orgs(caller: Signed, db: Db, paging: Paged) -> Page[OrgRead]:
    """List the organisations that the caller belongs to."""
    user_id = caller.require_user()
    after = paging.after(UUID)
    async with db.reading(caller.actor) as tx:
        rows = await store.list_organisations(
            tx, user_id, after=after[0] if after else None, rows=paging.fetch
        )
    return paging.page(rows, key=lambda row: (row.id,), shape=OrgRead)


@router.get("/orgs/{org_id}", responses=refuses(OrgUnknown))
async def get_org(org_id: UUID, caller: Signed, db: Db, response: Response) -> OrgRead:
    """Give an organisation that the caller belongs to."""
    user_id = caller.require_user()
    async with db.reading(caller.actor) as tx:
        row = await store.read_organisation(tx, user_id, org_id)
    response.headers["etag"] = etag(row.version)
    return OrgRead.of(row)


@router.get("/orgs/{org_id}/members", responses=refuses(OrgUnknown))
async def get_members(org_id: UUID, caller: Signed, db: Db, paging: Paged) -> Page[MemberRead]:
    """List who belongs to an organisation that the caller belongs to."""
    user_id = caller.require_user()
    after = paging.after(UUID)
    async with db.reading(actions.acting_in(caller.actor, org_id)) as tx:
        await store.read_organisation(tx, user_id, org_id)
        rows = await store.list_members(
            tx, org_id, after=after[0] if after else None, rows=paging.fetch
        )
    return paging.page(rows, key=lambda row: (row.user_id,), shape=MemberRead)


@router.get("/org-slugs/{value}")
async def get_slug(value: Annotated[str, Path(max_length=200)], db: Db) -> AvailabilityRead:
    """Say whether an organisation can have this slug."""
    reason = await actions.why_not(db, value)
    return AvailabilityRead(value=value, available=reason is None, reason=reason)
