"""The two functions that say in SQL what presence means."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hazina import ids
from hazina.pg import SERVICE, Actor, Database

from .given import rows, run

pytestmark = pytest.mark.anyio

STREAM = """insert into live_streams (id, profile_id, org_id, title, status, started_at)
            values (:stream, :host, uuidv7(), 'Cooking ugali', 'live', now())"""
BOX = """insert into video_boxes (id, stream_id, slot, streamer_id, cell, media_path)
         values (:box, :stream, 0, :host, 5, cast(:box as text))"""
VIEWER = """insert into box_viewers
            values (uuidv7(), :box, :stream, 5, :viewer, 's', 'live', 'r', 1, now(),
                    now() - make_interval(secs => :age_s))"""
UPDATE = "select * from update_publish_state_from_viewers"
CLEANUP = "select * from cleanup_stale_viewers"


class Scene:
    """A live stream with one box."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.stream, self.box, self.host = ids.new(), ids.new(), ids.new()

    async def begin(self) -> "Scene":
        await run(self.db, STREAM, stream=self.stream, host=self.host)
        await run(self.db, BOX, stream=self.stream, box=self.box, host=self.host)
        return self

    async def watched(self, age_s: float) -> None:
        values = {"box": self.box, "stream": self.stream, "viewer": ids.new()}
        await run(self.db, VIEWER, **values, age_s=age_s)

    async def call(self, query: str) -> list[Any]:
        async with self.db.transaction(SERVICE) as tx:
            return list((await tx.execute(text(query))).all())

    async def state(self) -> tuple[Any, ...]:
        (row,) = await rows(
            self.db,
            "select is_published, publish_version, vacant_since is null from video_boxes",
        )
        return tuple(row)


@pytest.fixture
async def scene(db: Database) -> Scene:
    """A live stream with one box that nobody watches."""
    return await Scene(db).begin()


class TestUpdatePublishState:
    async def test_turns_on_with_a_fresh_viewer_once(self, scene: Scene) -> None:
        await scene.watched(age_s=5)

        (changed,) = await scene.call(f"{UPDATE}()")
        again = await scene.call(f"{UPDATE}()")

        assert (changed.is_published, changed.publish_version, changed.reason) == (
            True,
            1,
            "reconciled",
        )
        assert (changed.viewers, again) == (1, [])
        assert await scene.state() == (True, 1, True)

    async def test_is_not_moved_by_a_stale_viewer(self, scene: Scene) -> None:
        await scene.watched(age_s=31)

        assert await scene.call(f"{UPDATE}()") == []

    async def test_turns_off_only_after_the_linger(self, scene: Scene) -> None:
        await scene.watched(age_s=5)
        await scene.call(f"{UPDATE}()")
        await run(scene.db, "delete from box_viewers")

        assert await scene.call(f"{UPDATE}()") == []
        assert await scene.state() == (True, 1, False), "vacant since now"
        await run(scene.db, "update video_boxes set vacant_since = now() - interval '10 s'")
        assert await scene.call(f"{UPDATE}(p_on_only => true)") == []
        (changed,) = await scene.call(f"{UPDATE}()")
        assert (changed.is_published, changed.publish_version) == (False, 2)

    async def test_forgets_the_vacancy_when_somebody_returns(self, scene: Scene) -> None:
        await scene.watched(age_s=5)
        await scene.call(f"{UPDATE}()")
        await run(scene.db, "update video_boxes set vacant_since = now() - interval '9 s'")

        assert await scene.call(f"{UPDATE}()") == []
        assert await scene.state() == (True, 1, True)

    async def test_leaves_a_paused_box_alone(self, scene: Scene) -> None:
        await scene.watched(age_s=5)
        await run(scene.db, "update video_boxes set publish_policy = 'paused'")

        assert await scene.call(f"{UPDATE}()") == []

    async def test_looks_only_at_the_boxes_it_is_asked_about(self, scene: Scene) -> None:
        await scene.watched(age_s=5)

        assert await scene.call(f"{UPDATE}(p_box_ids => array[uuidv7()])") == []

    async def test_run_twice_back_to_back_changes_nothing_more(self, scene: Scene) -> None:
        """The smoke test that the requirement asks for."""
        await scene.watched(age_s=5)
        first = [await scene.call(f"{CLEANUP}()"), await scene.call(f"{UPDATE}()")]
        second = [await scene.call(f"{CLEANUP}()"), await scene.call(f"{UPDATE}()")]

        assert [len(rows) for rows in first] == [0, 1]
        assert [len(rows) for rows in second] == [0, 0]

    @pytest.mark.parametrize(
        "arguments", ["p_timeout => '0'", "p_timeout => null", "p_linger => '-1 s'"]
    )
    async def test_refuses_nonsense(self, scene: Scene, arguments: str) -> None:
        with pytest.raises(DBAPIError, match="must be"):
            await scene.call(f"{UPDATE}({arguments})")


class TestCleanup:
    async def test_deletes_and_returns_the_stale_alone(self, scene: Scene) -> None:
        await scene.watched(age_s=29)
        await scene.watched(age_s=31)

        gone = await scene.call(f"{CLEANUP}()")

        assert len(gone) == 1
        assert len(await rows(scene.db, "select from box_viewers")) == 1

    async def test_keeps_to_its_limit_and_its_cells(self, scene: Scene) -> None:
        for _ in range(3):
            await scene.watched(age_s=60)

        assert await scene.call(f"{CLEANUP}(p_cells => array[6]::smallint[])") == []
        assert len(await scene.call(f"{CLEANUP}(p_limit => 2)")) == 2

    @pytest.mark.parametrize("arguments", ["p_timeout => '-1 s'", "p_limit => 0"])
    async def test_refuses_nonsense(self, scene: Scene, arguments: str) -> None:
        with pytest.raises(DBAPIError, match="must be"):
            await scene.call(f"{CLEANUP}({arguments})")


class TestStranger:
    async def test_sees_no_viewing_and_changes_no_box(self, scene: Scene) -> None:
        await scene.watched(age_s=5)
        stranger = Actor("user", ids.new(), ids.new())
        async with scene.db.transaction(stranger) as tx:
            seen = (await tx.execute(text("select count(*) from box_viewers"))).scalar_one()
            log = (await tx.execute(text("select count(*) from box_transitions"))).scalar_one()
            changed = await tx.execute(text("update video_boxes set title = 'mine'"))
            leases = await tx.execute(text("select from presence_cell_leases"))

            assert (seen, log, changed.rowcount, leases.all()) == (0, 0, 0, [])

    async def test_is_not_helped_by_the_functions(self, scene: Scene) -> None:
        await scene.watched(age_s=60)
        async with scene.db.transaction(Actor("user", ids.new(), ids.new())) as tx:
            gone = (await tx.execute(text(f"{CLEANUP}()"))).all()

        assert gone == [], "they run with the rights of whoever calls them"

    async def test_cannot_rewrite_the_log_even_as_the_service(self, scene: Scene) -> None:
        for statement in ("delete from box_transitions", "update box_transitions set reason = ''"):
            with pytest.raises(DBAPIError, match="permission denied"):
                await scene.call(statement)


class TestComments:
    async def test_say_how_often_boards_are_computed(self, db: Database) -> None:
        (row,) = await rows(db, "select obj_description('leaderboard_cache'::regclass) as said")

        assert "a live stream's every 2 s" in row.said
        assert "the day's every 30 s" in row.said
        assert "every 5 min" in row.said
