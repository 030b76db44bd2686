"""The SQL of people and of what their organisations may use. Reads and writes; decides nothing."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from hazina.pg import Transaction
from streaming import tables
from streaming.profile.rules import Person, Profile

profiles = tables.profiles

# Everybody's rows in one order, here and wherever profiles are written: no deadlock.
KNOW = text("""
    insert into profiles (id)
    select distinct id from unnest(cast(:ids as uuid[])) as known(id) order by id
    on conflict do nothing""")
SET = text("""
    insert into profiles (id, username, display_name, avatar_url, source_version)
    select id, username, display_name, avatar_url, version
      from unnest(cast(:ids as uuid[]), cast(:usernames as text[]), cast(:names as text[]),
                  cast(:avatars as text[]), cast(:versions as bigint[]))
           as told(id, username, display_name, avatar_url, version)
     order by id
    on conflict (id) do update
       set username = excluded.username, display_name = excluded.display_name,
           avatar_url = coalesce(excluded.avatar_url, profiles.avatar_url),
           source_version = excluded.source_version, updated_at = now()
     where excluded.source_version > profiles.source_version""")
ADD_LIMITS = text("""
    insert into entitlement_snapshot (org_id, version, limits, features)
    select org_id, version, cast(limits as jsonb), cast(features as jsonb)
      from unnest(cast(:orgs as uuid[]), cast(:versions as bigint[]), cast(:limits as text[]),
                  cast(:features as text[])) as told(org_id, version, limits, features)
     order by org_id
    on conflict (org_id) do update
       set version = excluded.version, limits = excluded.limits, features = excluded.features,
           updated_at = now()
     where excluded.version > entitlement_snapshot.version""")

PERSON = [profiles.c.id, profiles.c.username, profiles.c.display_name, profiles.c.avatar_url]


async def know(tx: Transaction, ids: Collection[UUID]) -> None:
    """See to it that there is a row for each, a stub where identity has not told us yet."""
    await tx.execute(KNOW, {"ids": list(ids)})


async def set_people(tx: Transaction, told: Sequence[Mapping[str, Any]]) -> None:
    """Write what identity told of people, each at most once here, where it is news."""
    if told:
        columns = {"ids": "id", "usernames": "username", "names": "display_name"}
        columns |= {"avatars": "avatar_url", "versions": "version"}
        await tx.execute(SET, {many: [t[one] for t in told] for many, one in columns.items()})


async def set_limits(tx: Transaction, told: Sequence[Mapping[str, Any]]) -> None:
    """Write what organisations may use, each at most once here, where it is news."""
    columns = {"orgs": "org_id", "versions": "version", "limits": "limits", "features": "features"}
    await tx.execute(ADD_LIMITS, {many: [t[one] for t in told] for many, one in columns.items()})


async def find_status(tx: Transaction, id: UUID) -> str | None:
    """Give somebody's status, if we have heard of them."""
    return (
        await tx.execute(select(profiles.c.status).where(profiles.c.id == id))
    ).scalar_one_or_none()


async def find_profile(tx: Transaction, id: UUID) -> Profile | None:
    """Read a person with what they did here."""
    wanted = [
        *PERSON,
        profiles.c.follower_count,
        profiles.c.following_count,
        profiles.c.total_gifts_received,
        profiles.c.total_gifts_sent,
        (profiles.c.supporter_coins > 0).label("supporter"),
        profiles.c.is_live,
        profiles.c.live_stream_id,
    ]
    row = (await tx.execute(select(*wanted).where(profiles.c.id == id))).one_or_none()
    return None if row is None else Profile(*row)


async def list_people(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Person]:
    """Give who people are, of those we have heard of."""
    rows = await tx.execute(select(*PERSON).where(profiles.c.id.in_(list(ids))))
    return {row.id: Person(*row) for row in rows}
