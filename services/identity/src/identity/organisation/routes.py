"""Organisations over HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import StringConstraints

from hazina.auth import Forbidden, Signed
from hazina.chassis import Db, Now, Page, Paged, Wire, etag, refuses
from hazina.idempotency import MayKey
from identity.organisation import actions, store
from identity.organisation.actions import Founding
from identity.organisation.rules import (
    LastOwner,
    MemberUnknown,
    OrgType,
    OrgUnknown,
    PersonalOrg,
    Reason,
    Role,
    SlugRefused,
    SlugTaken,
)

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


class OrgCreate(Wire):
    """What is to be founded. Everybody has their personal organisation already."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    org_type: Literal["business", "family", "education", "other"]
    slug: Annotated[str, StringConstraints(max_length=40)] | None = None
    description: Annotated[str, StringConstraints(max_length=2000)] | None = None
    avatar_url: Annotated[str, StringConstraints(max_length=200, pattern=r"^https://")] | None = (
        None
    )


class MemberUpdate(Wire):
    """Which role a member is to have."""

    role: Role


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


@router.post("/orgs", status_code=201, responses=refuses(SlugRefused, SlugTaken))
async def post_org(
    ask: OrgCreate, caller: Signed, db: Db, *, now: Now, attempt: MayKey, response: Response
) -> OrgRead:
    """Found an organisation; the caller is its first owner."""
    user_id = caller.require_user()
    wanted = Founding(**ask.model_dump())
    org_id = await actions.found(db, user_id, wanted, attempt, now=now)
    async with db.reading(caller.actor) as tx:
        row = await store.read_organisation(tx, user_id, org_id)
    response.headers["etag"] = etag(row.version)
    return OrgRead.of(row)


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


@router.patch(
    "/orgs/{org_id}/members/{user_id}",
    responses=refuses(OrgUnknown, MemberUnknown, PersonalOrg, LastOwner, Forbidden),
)
async def patch_member(
    org_id: UUID, user_id: UUID, ask: MemberUpdate, caller: Signed, db: Db
) -> MemberRead:
    """Give a member another role."""
    await actions.require_in(db, caller, org_id, "member.set_role")
    return MemberRead.of(await actions.set_role(db, org_id, user_id, ask.role))


@router.delete(
    "/orgs/{org_id}/members/{user_id}",
    status_code=204,
    responses=refuses(OrgUnknown, MemberUnknown, PersonalOrg, LastOwner, Forbidden),
)
async def delete_member(org_id: UUID, user_id: UUID, caller: Signed, db: Db, now: Now) -> None:
    """Take a member out; anybody may take themselves out."""
    permission = "org.read" if user_id == caller.user_id else "member.remove"
    await actions.require_in(db, caller, org_id, permission)
    await actions.remove(db, org_id, user_id, now=now)


@router.get("/org-slugs/{value}")
async def get_slug(value: Annotated[str, Path(max_length=200)], db: Db) -> AvailabilityRead:
    """Say whether an organisation can have this slug."""
    reason = await actions.why_not(db, value)
    return AvailabilityRead(value=value, available=reason is None, reason=reason)
