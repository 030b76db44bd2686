"""Makers of facts and organisations for billing's tests."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from billing.subscription.consumers import (
    OrgCreated,
    UserRegistered,
    start_for_orgs,
    start_for_users,
)
from hazina import ids
from hazina.outbox import ConsumedEvent, Received
from hazina.pg import SERVICE, Database

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def received(event: ConsumedEvent, *, at: datetime = NOON, seq: int = 1) -> Received[Any]:
    """A fact as it arrives from identity."""
    return Received(
        event=event,
        id=ids.new(),
        type=type(event).__type__,
        source="identity",
        shard=0,
        seq=seq,
        key="k",
        key_version=None,
        time=at,
    )


def registered(org_id: UUID, user_id: UUID | None = None, **more: Any) -> Received[Any]:
    """Somebody signed up, and their personal organisation is `org_id`."""
    event = UserRegistered(user_id=user_id or ids.new(), personal_org_id=org_id)
    return received(event, **more)


def created(org_id: UUID, owner_id: UUID | None = None, **more: Any) -> Received[Any]:
    """There is a new organisation; personal, as those of sign-ups are."""
    event = OrgCreated(
        org_id=org_id, name="Amina", is_personal=True, owner_id=owner_id or ids.new()
    )
    return received(event, **more)


async def hear(db: Database, *facts: Received[Any]) -> None:
    """Apply facts, each run of one type in one transaction, as the listener would."""
    handlers = {UserRegistered: start_for_users, OrgCreated: start_for_orgs}
    for fact in facts:
        async with db.transaction(SERVICE) as tx:
            await handlers[type(fact.event)](tx, [fact])


async def org(db: Database, *, at: datetime = NOON) -> UUID:
    """An organisation on Free."""
    org_id = ids.new()
    await hear(db, registered(org_id, at=at))
    return org_id


async def told(db: Database, type: str) -> list[dict[str, Any]]:
    """What was told of one type, in order."""
    async with db.reading(SERVICE) as tx:
        rows = await tx.execute(
            text(
                "select convert_from(payload, 'utf8')::jsonb from outbox"
                " where type = :type order by pos"
            ),
            {"type": type},
        )
        return list(rows.scalars())


async def rows(db: Database, statement: str, **values: Any) -> Sequence[Any]:
    """What a statement finds, as the service itself sees it."""
    async with db.reading(SERVICE) as tx:
        return (await tx.execute(text(statement), values)).all()
