"""What can be done with the catalogue: read, decide, write; who is on a plan hears by a refresh."""

from typing import Any

from sqlalchemy import Row

from billing.catalog import rules, store
from billing.catalog.rules import Edit
from hazina.chassis import Match
from hazina.pg import Actor, Database


async def edit_feature(
    db: Database, actor: Actor, plan: tuple[str, int | None], key: str, *, asked: Edit, match: Match
) -> Row[Any]:
    """Change what a version of a plan allows, for all who are pinned to it.

    Raises PlanUnknown, FeatureUnknown, PreconditionFailed, LimitInvalid.
    """
    async with db.transaction(actor) as tx:
        plan_id = await store.find_plan_id(tx, *plan)
        feature = await store.lock_feature(tx, plan_id, key)

        match.require(feature.row_version)
        wanted = rules.edit(feature, asked)

        return await store.set_feature(tx, wanted)
