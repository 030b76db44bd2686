"""Two owners of one cell: whatever happens between them, only one of them decides."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from hazina.pg import SERVICE, Database
from streaming.box import actions as boxes
from streaming.box.rules import Switch
from streaming.cell.actions import Cells
from streaming.cell.rules import LeaseLost, cell_of

from .given import Somebody, eventually, rows, run, told

pytestmark = pytest.mark.anyio

STEAL = """update presence_cell_leases
              set owner = 'thief', epoch = epoch + 1,
                  expires_at = clock_timestamp() + interval '1 hour'"""


async def switch(db: Database, cells: Cells, app: FastAPI, box_id: Any, *, on: bool) -> int:
    """Try to change a box's publish state; give how many were changed."""
    (box,) = await rows(db, "select id, cell from video_boxes where id = :id", id=box_id)
    asked = [Switch(box.id, box.cell, on, "reconciled", 0)]
    async with db.transaction(SERVICE) as tx:
        return len(await boxes.switch_in(tx, cells, asked, app.state.clock()))


class TestEpoch:
    async def test_of_yesterday_decides_nothing(
        self, app: FastAPI, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        await run(db, STEAL)

        answer = await amina.ask("POST", f"/boxes/{box_id}/viewers", json={})

        assert (answer.status_code, answer.json()["code"]) == (503, "service.unavailable")
        assert (await juma.get(f"/boxes/{box_id}"))["is_published"] is False
        assert await rows(db, "select from box_transitions") == []
        assert await told(db, "streaming.box.published") == []
        assert app.state.presence.audience.sessions == {}, "the join never was"
        (cell,) = await rows(db, "select cell from video_boxes where id = :id", id=box_id)
        assert not app.state.cells.owns(cell.cell), "it has stepped down"

    async def test_of_yesterday_ends_no_stream(
        self, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        stream_id, box_id = await juma.goes_live()
        await amina.post(f"/boxes/{box_id}/viewers", expect=201)
        await run(db, STEAL)

        answer = await juma.ask("POST", f"/streams/{stream_id}/end")

        assert answer.status_code == 503
        (row,) = await rows(db, "select status from live_streams where id = :id", id=stream_id)
        assert row.status == "live", "all of it or nothing"

    async def test_older_than_the_box_s_is_refused_by_the_row_itself(
        self, app: FastAPI, db: Database, juma: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        await run(db, "update video_boxes set cell_epoch = 99 where id = :id", id=box_id)

        assert await switch(db, app.state.cells, app, box_id, on=True) == 0


class TestTakeover:
    async def test_waits_for_a_decision_that_is_being_written(
        self, app: FastAPI, db: Database, juma: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        cells: Cells = app.state.cells
        (box,) = await rows(db, "select id, cell from video_boxes where id = :id", id=box_id)
        asked = [Switch(box.id, box.cell, is_published=True, reason="reconciled", viewers=1)]
        async with db.transaction(SERVICE) as tx:
            assert len(await boxes.switch_in(tx, cells, asked, app.state.clock())) == 1
            thief = asyncio.create_task(run(db, STEAL))
            await asyncio.sleep(0.3)
            assert not thief.done(), "the lease is held until the decision has committed"
        await thief

        with pytest.raises(LeaseLost):
            await switch(db, cells, app, box_id, on=False)
        (row,) = await rows(db, "select is_published from video_boxes where id = :id", id=box_id)
        assert row.is_published is True

    async def test_raises_the_epoch(self, db: Database) -> None:
        clock = [0.0]
        first, second = (Cells(name, lambda: clock[0]) for name in ("first", "second"))
        assert await first.renew(db, ready=()) == set(range(64))
        await first.release(db)

        assert await second.renew(db, ready=()) == set(range(64))
        assert {held.epoch for held in second.held.values()} == {2}

    async def test_takes_nothing_that_is_held(self, db: Database) -> None:
        clock = [0.0]
        first, second = (Cells(name, lambda: clock[0]) for name in ("first", "second"))
        await first.renew(db, ready=())

        assert await second.renew(db, ready=()) == set()
        assert not second.owns(0)

    async def test_is_assumed_after_a_long_silence(self, db: Database) -> None:
        clock = [0.0]
        cells = Cells("first", lambda: clock[0])
        await cells.renew(db, ready=())
        clock[0] = 8.1

        assert not cells.owns(0)
        async with db.transaction(SERVICE) as tx:
            with pytest.raises(LeaseLost):
                await cells.hold_in(tx, [0])
        assert await cells.renew(db, ready=()) == set(range(64)), "all of it is loaded anew"


class TestCrash:
    async def test_of_the_database_has_the_mirror_written_again(
        self, app: FastAPI, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        joined = await amina.post(f"/boxes/{box_id}/viewers", expect=201)
        async with db.transaction(SERVICE) as tx:  # as a crash does to unlogged tables
            for table in ("box_viewers", "presence_marker"):
                await tx.execute(text(f"delete from {table}"))

        await app.state.keeping.upkeep.lease()

        async def written() -> bool:
            await amina.post(f"/viewers/{joined['session_id']}/heartbeat")
            return bool(await rows(db, "select from box_viewers"))

        await eventually(written)
        assert (await juma.get(f"/boxes/{box_id}"))["publish_version"] == 1


class TestReconciler:
    async def test_finds_nothing_when_all_is_well(
        self, app: FastAPI, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        await amina.post(f"/boxes/{box_id}/viewers", expect=201)
        upkeep = app.state.keeping.upkeep

        await upkeep.settle()
        await upkeep.reconcile()
        await upkeep.clean()

        assert [row.reason for row in await rows(db, "select reason from box_transitions")] == [
            "first_viewer"
        ]

    async def test_puts_right_what_somebody_broke(
        self, app: FastAPI, db: Database, juma: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        await run(
            db,
            """update video_boxes set is_published = true, publish_version = 1,
                      vacant_since = now() - interval '1 minute' where id = :id""",
            id=box_id,
        )

        await app.state.keeping.upkeep.reconcile()

        (event,) = await told(db, "streaming.box.unpublished")
        assert (event["reason"], event["version"]) == ("reconciled", 2)
        assert (await juma.get(f"/boxes/{box_id}"))["is_published"] is False

    async def test_counts_out_whom_nobody_keeps_up(
        self, app: FastAPI, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        stream_id, box_id = await juma.goes_live()
        await run(
            db,
            """insert into box_viewers values (uuidv7(), :box, :stream, :cell, :viewer, 's', 'live',
                      'gone', 1, now() - interval '100 s', now() - interval '60 s')""",
            box=box_id,
            stream=stream_id,
            cell=cell_of(UUID(stream_id)),
            viewer=amina.id,
        )

        await app.state.keeping.upkeep.clean()
        await app.state.keeping.upkeep.clean()

        (left,) = await told(db, "streaming.viewer.left")
        assert (left["items"][0]["watched_s"], left["items"][0]["reason"]) == (40, "timeout")
        (row,) = await rows(db, "select watched_seconds from live_streams")
        assert row.watched_seconds == 40
