"""What can be done with what is known of people: hear, know, ask."""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from hazina.pg import Transaction
from streaming.profile import store
from streaming.profile.rules import Person

ACTIVE = "active"


async def know_in(tx: Transaction, ids: Collection[UUID]) -> None:
    """Have a row for each of these people, whatever identity has told us by now."""
    await store.know(tx, ids)


async def suspended_in(tx: Transaction, id: UUID) -> bool:
    """Tell whether somebody may not act here; somebody unheard of may."""
    return await store.find_status(tx, id) not in {None, ACTIVE}


async def people_in(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Person]:
    """Give who people are; somebody unheard of is nameless."""
    found = await store.list_people(tx, ids)
    return {id: found.get(id, Person(id, None, None, None)) for id in ids}


async def hear_people(tx: Transaction, told: Iterable[Mapping[str, Any]]) -> None:
    """Take in what identity told of people; an older or repeated fact changes nothing."""
    await store.set_people(tx, _newest(told, "id"))


async def hear_limits(tx: Transaction, told: Iterable[Mapping[str, Any]]) -> None:
    """Take in what organisations may use; an older or repeated fact changes nothing."""
    rows = [
        {**one, "limits": json.dumps(one["limits"]), "features": json.dumps(one["features"])}
        for one in _newest(told, "org_id")
    ]
    await store.set_limits(tx, rows)


def _newest(told: Iterable[Mapping[str, Any]], key: str) -> list[Mapping[str, Any]]:
    """Keep the newest fact of each: one statement writes a row once."""
    newest: dict[UUID, Mapping[str, Any]] = {}
    for one in told:
        known = newest.get(one[key])
        if known is None or one["version"] > known["version"]:
            newest[one[key]] = one
    return [newest[id] for id in sorted(newest)]
