"""What can be done with an organisation: found one's own, and ask for one's place in it."""

import base64
import secrets
from datetime import datetime
from uuid import UUID

from hazina import ids, outbox
from hazina.pg import SERVICE, Actor, Database, Transaction
from identity.organisation import rules, store
from identity.organisation.events import MemberAdded, OrgCreated
from identity.organisation.rules import NotMember, Organisation, Place, Reason

SLUG_RANDOM_BYTES = 5  # 8 characters of base32
SLUG_TRIES_MAX = 5


def _made_up_slug() -> str:
    return "u-" + base64.b32encode(secrets.token_bytes(SLUG_RANDOM_BYTES)).decode().lower()


async def found_personal_in(
    tx: Transaction, user_id: UUID, *, name: str, username: str | None, now: datetime
) -> Organisation:
    """Found a user's own organisation, told with its first member; give it.

    Its slug is the username where that is a free slug, else a made-up one.
    """
    wanted = username if username and rules.slug_trouble(username) is None else _made_up_slug()
    for _ in range(SLUG_TRIES_MAX):
        org, member = rules.personal(user_id, id=ids.new(), name=name, slug=wanted)
        if await store.add_organisation(tx, org):
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
        wanted = _made_up_slug()
    raise AssertionError("five random slugs were all taken")


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
