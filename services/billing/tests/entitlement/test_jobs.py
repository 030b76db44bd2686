import asyncio

import pytest
from sqlalchemy import text

from billing.entitlement import actions, jobs, store
from hazina import ids
from hazina.pg import SERVICE, Database

from ..given import NOON, hear, org, registered, rows, told  # noqa: TID252  makers of the whole service

pytestmark = pytest.mark.anyio

CHANGED = "billing.entitlements.changed"
EDIT = "update plan_features set limit_value = :limit where feature_key = 'max_records'"


async def edit(db: Database, limit: int) -> None:
    async with db.transaction(SERVICE) as tx:
        await tx.execute(text(EDIT), {"limit": limit})


class TestRefresh:
    async def test_brings_an_edited_row_to_everybody_on_the_plan(self, db: Database) -> None:
        org_ids = {str(await org(db)) for _ in range(3)}

        await edit(db, 7)
        await jobs.refresh(db, NOON)

        changed = [said for said in await told(db, CHANGED) if said["version"] == 2]
        assert {said["org_id"] for said in changed} == org_ids
        assert all(said["limits"]["max_records"] == 7 for said in changed)

    async def test_tells_nothing_when_the_row_came_back(self, db: Database) -> None:
        await org(db)

        await edit(db, 7)
        await edit(db, 100)
        await jobs.refresh(db, NOON)

        assert len(await told(db, CHANGED)) == 1
        assert await jobs.refresh(db, NOON) == 0

    async def test_goes_on_where_it_was_stopped(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store, "REFRESH_ORGS", 2)
        for _ in range(5):
            await org(db)
        await edit(db, 7)

        reached = 0
        while more := await actions.refresh(db, NOON):
            reached += more

        open_ones = await rows(db, "select from entitlement_refreshes where done_at is null")
        assert (reached >= 5, open_ones) == (True, [])
        [stale] = await rows(
            db,
            "select count(*) from entitlement_snapshots where (limits->>'max_records')::int <> 7",
        )
        assert stale[0] == 0

    async def test_misses_nobody_who_signs_up_while_the_plan_is_edited(self, db: Database) -> None:
        async def sign_up(count: int) -> None:
            for _ in range(count):
                await hear(db, registered(ids.new()))

        async def edit_often() -> None:
            for limit in range(200, 206):
                await edit(db, limit)
                await jobs.refresh(db, NOON)

        await asyncio.gather(*(sign_up(8) for _ in range(4)), edit_often())
        await jobs.refresh(db, NOON)

        found = await rows(
            db, "select distinct (limits->>'max_records')::int as most from entitlement_snapshots"
        )
        assert [row.most for row in found] == [205]

    async def test_shows_who_is_over_a_limit_that_was_lowered(self, db: Database) -> None:
        org_id = await org(db)
        async with db.transaction(SERVICE) as tx:
            await tx.execute(
                text(
                    "insert into quota_windows (org_id, feature_key, scope_kind, scope_id,"
                    " window_start, limit_value, used)"
                    " values (:org, 'max_records', 'org', '', 'epoch', 100, 90)"
                ),
                {"org": org_id},
            )

        await edit(db, 80)
        await jobs.refresh(db, NOON)

        assert (await told(db, CHANGED))[-1]["over_limit"] == ["max_records"]
