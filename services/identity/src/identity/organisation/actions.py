"""What can be done with an organisation: found one's own, and ask for one's place in it."""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from hazina import auth, idempotency, ids, outbox
from hazina.auth import Caller, Forbidden, permissions
from hazina.idempotency import Attempt
from hazina.pg import SERVICE, Actor, Database, Transaction
from identity.organisation import rules, store
from identity.organisation.events import (
    MemberAdded,
    MemberRemoved,
    MemberRoleChanged,
    OrgCreated,
)
from identity.organisation.rules import (
    Change,
    NotMember,
    Organisation,
    OrgType,
    Place,
    Reason,
    Role,
)

SLUG_RANDOM_BYTES = 5  # 8 characters of base32
SLUG_TRIES_MAX = 5


def _made_up_slug() -> str:
    return "u-" + base64.b32encode(secrets.token_bytes(SLUG_RANDOM_BYTES)).decode().lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Founding:
    """What somebody wants to found; without a slug they get a made-up one."""

    name: str
    org_type: OrgType
    slug: str | None = None
    description: str | None = None
    avatar_url: str | None = None


async def found_personal_in(
    tx: Transaction, user_id: UUID, *, name: str, username: str | None, now: datetime
) -> Organisation:
    """Found a user's own organisation, told with its first member; give it.

    Its slug is the username where that is a free slug, else a made-up one.
    """
    wanted = username if username and rules.slug_trouble(username) is None else None
    if wanted is not None:
        named = Founding(name=name, org_type="personal", slug=wanted)
        if org := await _found_in(tx, user_id, named, now):
            return org
    org = await _found_in(tx, user_id, Founding(name=name, org_type="personal"), now)
    assert org is not None, "five random slugs were all taken"
    return org


async def _found_in(
    tx: Transaction, user_id: UUID, ask: Founding, now: datetime
) -> Organisation | None:
    """Write an organisation with its first owner, and tell of both; None when its slug is taken."""
    for _ in range(1 if ask.slug else SLUG_TRIES_MAX):
        org, member = rules.founded(
            user_id,
            id=ids.new(),
            name=ask.name,
            slug=ask.slug or _made_up_slug(),
            org_type=ask.org_type,
        )
        if not await store.add_organisation(
            tx, org, description=ask.description, avatar_url=ask.avatar_url
        ):
            continue
        await store.add_member(tx, member, now)
        created = OrgCreated(
            org_id=org.id,
            version=org.version,
            name=org.name,
            slug=org.slug,
            org_type=org.org_type,
            is_personal=org.is_personal,
            owner_id=org.owner_id,
        )
        await outbox.publish(tx, created, MemberAdded.of(member), key_version=org.version)
        return org
    return None


async def found(
    db: Database, user_id: UUID, ask: Founding, attempt: Attempt, *, now: datetime
) -> UUID:
    """Found an organisation and become its owner; give its id. Raises SlugRefused, SlugTaken."""
    if ask.slug is not None:
        rules.require_slug(ask.slug)
    async with db.transaction(SERVICE) as tx:
        if done := await idempotency.find(tx, attempt, UUID):
            return done
        org = await _found_in(tx, user_id, ask, now)
        if org is None:
            raise rules.SlugTaken(slug=ask.slug)
        await idempotency.keep(tx, attempt, org.id)
    return org.id


async def set_role(db: Database, org_id: UUID, user_id: UUID, role: Role) -> Row[Any]:
    """Give a member another role; give their place. Their tokens are stale within a second.

    Raises OrgUnknown, PersonalOrg, MemberUnknown, LastOwner.
    """
    async with db.transaction(SERVICE) as tx:
        org, members = await store.lock_organisation(tx, org_id)

        change = rules.set_role(org, members, user_id, role)

        if change is not None:
            await _change_in(tx, org, change, removed_at=None)
            await outbox.publish(tx, MemberRoleChanged.of(change.member))
        return await store.read_member(tx, org_id, user_id)


async def remove(db: Database, org_id: UUID, user_id: UUID, *, now: datetime) -> None:
    """Take a member out, or let them go; every service refuses them within a second.

    Raises OrgUnknown, PersonalOrg, MemberUnknown, LastOwner.
    """
    async with db.transaction(SERVICE) as tx:
        org, members = await store.lock_organisation(tx, org_id)

        change = rules.remove(org, members, user_id)

        await _change_in(tx, org, change, removed_at=now)
        await outbox.publish(tx, MemberRemoved.of(change.member))


async def _change_in(
    tx: Transaction, org: Organisation, change: Change, *, removed_at: datetime | None
) -> None:
    """Write one changed membership, here and where tokens are checked."""
    if change.owner_id != org.owner_id:
        await store.set_owner(tx, org.id, change.owner_id)
    await store.set_member(tx, change.member, removed_at=removed_at)
    await auth.change_member(tx, change.member, removed=removed_at is not None)


async def place_in(tx: Transaction, user_id: UUID, org_id: UUID) -> Place:
    """Give a user's standing where they act; where they no longer belong, in their own."""
    place = await store.find_place(tx, user_id, org_id)
    return place or await store.read_personal(tx, user_id)


async def personal_in(tx: Transaction, user_id: UUID) -> Place:
    """Give a user's standing in their own organisation."""
    return await store.read_personal(tx, user_id)


async def require_place_in(tx: Transaction, user_id: UUID, org_id: UUID) -> Place:
    """Give a user's standing in an organisation; raises NotMember."""
    place = await store.find_place(tx, user_id, org_id)
    if place is None:
        raise NotMember
    return place


async def require_in(db: Database, caller: Caller, org_id: UUID, permission: str) -> None:
    """Refuse unless the caller's place in `org_id`, as it is now, carries `permission`.

    Raises OrgUnknown for who does not belong there, Forbidden for who may not.
    """
    user_id = caller.require_user()
    async with db.reading(caller.actor) as tx:
        place = await store.find_place(tx, user_id, org_id)
    if place is None:
        raise rules.OrgUnknown
    if not permissions.allowed(place.role, permission):
        raise Forbidden(permission=permission)


async def why_not(db: Database, slug: str) -> Reason | None:
    """Say why a slug cannot be had; None when it can."""
    trouble = rules.slug_trouble(slug)
    if trouble is not None:
        return trouble
    async with db.reading(SERVICE) as tx:  # slugs of all, so that a taken one is seen
        return "taken" if await store.is_slug_taken(tx, slug) else None


def acting_in(actor: Actor, org_id: UUID) -> Actor:
    """Let row-level security see the members of `org_id`; the caller's place there was checked."""
    return Actor(role=actor.role, user_id=actor.user_id, org_id=org_id)
