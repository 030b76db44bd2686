import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from hazina import ids
from hazina.pg import Database
from hazina.standard import MovableClock

from .given import Somebody, eventually, rows, run, told

pytestmark = pytest.mark.anyio

LOG = """select publish_version, is_published, reason, viewers from box_transitions
          where box_id = cast(:box as uuid) order by publish_version"""


async def log(db: Database, box_id: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await rows(db, LOG, box=box_id)]


class TestFirstViewer:
    async def test_publishes_before_the_answer(self, juma: Somebody, amina: Somebody) -> None:
        _, box_id = await juma.goes_live()

        joined = await amina.post(f"/boxes/{box_id}/viewers", expect=201)

        assert joined["is_published"] is True
        assert (joined["publish_version"], joined["viewer_count"], joined["generation"]) == (
            1,
            1,
            1,
        )
        assert (await juma.get(f"/boxes/{box_id}"))["publish_reason"] == "first_viewer"

    async def test_of_two_at_once_publishes_once(
        self, db: Database, juma: Somebody, amina: Somebody, neema: Somebody
    ) -> None:
        stream_id, box_id = await juma.goes_live()

        answers = await asyncio.gather(
            *(one.post(f"/boxes/{box_id}/viewers", expect=201) for one in (amina, neema))
        )

        assert [answer["publish_version"] for answer in answers] == [1, 1]
        assert [entry[:3] for entry in await log(db, box_id)] == [(1, True, "first_viewer")]
        (event,) = await told(db, "streaming.box.published")
        assert (event["box_id"], event["stream_id"], event["version"]) == (box_id, stream_id, 1)
        assert event["org_id"] == str(juma.org_id)

    async def test_of_a_box_that_nobody_knows_is_refused(self, amina: Somebody) -> None:
        answer = await amina.ask("POST", f"/boxes/{ids.new()}/viewers", json={})

        assert (answer.status_code, answer.json()["code"]) == (404, "box.unknown")


class TestLinger:
    async def test_ends_in_unpublishing(
        self, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        joined = await amina.post(f"/boxes/{box_id}/viewers", expect=201)

        await amina.post(f"/viewers/{joined['session_id']}/leave", expect=204)
        assert (await juma.get(f"/boxes/{box_id}"))["is_published"] is True

        async def off() -> bool:
            return not (await juma.get(f"/boxes/{box_id}"))["is_published"]

        assert 0.5 < await eventually(off) < 2.5
        assert await log(db, box_id) == [
            (1, True, "first_viewer", 1),
            (2, False, "no_viewers", 0),
        ]
        (event,) = await told(db, "streaming.box.unpublished")
        assert (event["version"], event["reason"], event["viewers"]) == (2, "no_viewers", 0)

    async def test_is_ended_by_a_join_without_a_word(
        self, db: Database, juma: Somebody, amina: Somebody, neema: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        first = await amina.post(f"/boxes/{box_id}/viewers", expect=201)
        await amina.post(f"/viewers/{first['session_id']}/leave", expect=204)
        await asyncio.sleep(0.3)

        second = await neema.post(f"/boxes/{box_id}/viewers", expect=201)
        for _ in range(8):
            await asyncio.sleep(0.25)
            await neema.post(f"/viewers/{second['session_id']}/heartbeat")

        assert second["publish_version"] == 1
        assert len(await log(db, box_id)) == 1
        assert await told(db, "streaming.box.unpublished") == []


class TestSilence:
    async def test_ends_a_viewing_and_then_the_publication(
        self, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        joined = await amina.post(f"/boxes/{box_id}/viewers", expect=201)

        async def off() -> bool:
            return not (await juma.get(f"/boxes/{box_id}"))["is_published"]

        # Four seconds of patience, one of linger, and two sweeps.
        assert 5 <= await eventually(off, 12) <= 8
        (left,) = await told(db, "streaming.viewer.left")
        assert [item["reason"] for item in left["items"]] == ["timeout"]
        assert left["items"][0]["session_id"] == joined["session_id"]
        assert await rows(db, "select from box_viewers") == []
        answer = await amina.ask("POST", f"/viewers/{joined['session_id']}/heartbeat")
        assert (answer.status_code, answer.json()["code"]) == (410, "viewer.gone")

    async def test_is_broken_by_beats_in_bulk(self, juma: Somebody, amina: Somebody) -> None:
        _, box_id = await juma.goes_live()
        joined = await amina.post(f"/boxes/{box_id}/viewers", expect=201)
        stranger = str(ids.new())

        for _ in range(5):
            await asyncio.sleep(1)
            beats = [{"session_id": id} for id in (joined["session_id"], stranger)]
            answer = await amina.post("/heartbeats", {"beats": beats})
            assert answer == {"accepted": 1, "gone": [stranger]}

        assert (await juma.get(f"/boxes/{box_id}/presence/stats"))["viewers"] == 1

    async def test_is_not_broken_by_somebody_else(
        self, juma: Somebody, amina: Somebody, neema: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        joined = await amina.post(f"/boxes/{box_id}/viewers", expect=201)

        answer = await neema.ask("POST", f"/viewers/{joined['session_id']}/heartbeat")

        assert answer.status_code == 410


class TestAdmission:
    async def test_refuses_the_streamer_of_the_box(self, juma: Somebody) -> None:
        _, box_id = await juma.goes_live()

        answer = await juma.ask("POST", f"/boxes/{box_id}/viewers", json={})

        assert (answer.status_code, answer.json()["code"]) == (409, "viewer.own_box")

    async def test_refuses_the_sixth_session(self, juma: Somebody, amina: Somebody) -> None:
        _, box_id = await juma.goes_live()
        joins = [await amina.ask("POST", f"/boxes/{box_id}/viewers", json={}) for _ in range(6)]

        assert [join.status_code for join in joins] == [201] * 5 + [429]
        assert joins[-1].json()["code"] == "viewer.too_many_sessions"
        assert joins[-2].json()["viewer_count"] == 1, "five sessions are one viewer"

    async def test_refuses_before_the_stream_is_live(self, juma: Somebody, amina: Somebody) -> None:
        stream = await juma.post("/streams", {"title": "Soon"}, expect=201)
        box_id = stream["boxes"][0]["id"]

        answer = await amina.ask("POST", f"/boxes/{box_id}/viewers", json={})

        assert (answer.status_code, answer.json()["code"]) == (409, "stream.not_live")

    async def test_refuses_beyond_the_plan(
        self, db: Database, juma: Somebody, amina: Somebody, neema: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        await run(
            db,
            """insert into entitlement_snapshot (org_id, version, limits, features)
               values (:org, 1, '{"max_concurrent_viewers": 1}', '{}')""",
            org=juma.org_id,
        )
        await amina.post(f"/boxes/{box_id}/viewers", expect=201)

        again = await amina.ask("POST", f"/boxes/{box_id}/viewers", json={})
        other = await neema.ask("POST", f"/boxes/{box_id}/viewers", json={})

        assert again.status_code == 201, "who is counted already is no more"
        assert other.status_code == 403
        assert {k: other.json()[k] for k in ("code", "key", "limit", "used")} == {
            "code": "entitlement.limit_reached",
            "key": "max_concurrent_viewers",
            "limit": 1,
            "used": 1,
        }

    @pytest.mark.parametrize(
        ("trouble", "code"),
        [
            ("insert into profiles (id, status) values (:amina, 'suspended')", "user.suspended"),
            (
                """insert into chat_sanctions (id, owner_id, profile_id, kind, by)
                   values (uuidv7(), :juma, :amina, 'ban', :juma)""",
                "viewer.banned",
            ),
        ],
    )
    async def test_refuses_who_may_not_be_here(
        self, db: Database, juma: Somebody, amina: Somebody, trouble: str, code: str
    ) -> None:
        _, box_id = await juma.goes_live()
        values = {"amina": amina.id, "juma": juma.id}
        await run(db, trouble, **{k: v for k, v in values.items() if f":{k}" in trouble})

        answer = await amina.ask("POST", f"/boxes/{box_id}/viewers", json={})

        assert (answer.status_code, answer.json()["code"]) == (403, code)


class TestPause:
    async def test_stops_the_camera_under_viewers_and_lets_it_resume(
        self, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        joined = await amina.post(f"/boxes/{box_id}/viewers", expect=201)

        paused = await juma.ask("PATCH", f"/boxes/{box_id}", json={"publish_policy": "paused"})
        assert paused.json()["is_published"] is False
        await juma.ask("PATCH", f"/boxes/{box_id}", json={"publish_policy": "demand"})

        async def on() -> bool:
            answer = await amina.post(f"/viewers/{joined['session_id']}/heartbeat")
            return (answer["is_published"], answer["publish_version"]) == (True, 3)

        await eventually(on)
        assert [entry[:3] for entry in await log(db, box_id)] == [
            (1, True, "first_viewer"),
            (2, False, "paused"),
            (3, True, "resumed"),
        ]

    async def test_is_not_done_by_setting_is_published(self, juma: Somebody) -> None:
        _, box_id = await juma.goes_live()

        answer = await juma.ask("PATCH", f"/boxes/{box_id}", json={"is_published": True})

        assert (answer.status_code, answer.json()["code"]) == (422, "validation.failed")

    async def test_is_not_for_strangers(self, juma: Somebody, amina: Somebody) -> None:
        _, box_id = await juma.goes_live()

        answer = await amina.ask("PATCH", f"/boxes/{box_id}", json={"publish_policy": "paused"})

        assert (answer.status_code, answer.json()["code"]) == (403, "box.not_yours")


class TestClose:
    async def test_sends_viewers_away(self, db: Database, juma: Somebody, amina: Somebody) -> None:
        _, box_id = await juma.goes_live()
        await amina.post(f"/boxes/{box_id}/viewers", expect=201)

        assert (await juma.ask("DELETE", f"/boxes/{box_id}")).status_code == 204

        async def counted() -> bool:
            return bool(await told(db, "streaming.viewer.left"))

        await eventually(counted)
        (left,) = await told(db, "streaming.viewer.left")
        assert [item["reason"] for item in left["items"]] == ["box_closed"]
        assert (await log(db, box_id))[-1][:3] == (2, False, "box_closed")
        again = await amina.ask("POST", f"/boxes/{box_id}/viewers", json={})
        assert (again.status_code, again.json()["code"]) == (409, "box.closed")


class TestEnd:
    async def test_counts_every_viewing_before_it_is_told(
        self,
        db: Database,
        app: FastAPI,
        clock: MovableClock,
        juma: Somebody,
        amina: Somebody,
    ) -> None:
        stream_id, box_id = await juma.goes_live()
        await amina.post(f"/boxes/{box_id}/viewers", expect=201)
        clock.move(seconds=90)

        ended = await juma.post(f"/streams/{stream_id}/end")
        again = await juma.post(f"/streams/{stream_id}/end")

        assert (ended["status"], ended["ended_reason"]) == ("ended", "host")
        assert again["ended_at"] == ended["ended_at"]
        assert ended["boxes"][0]["is_published"] is False

        async def counted() -> bool:
            return bool(await told(db, "streaming.viewer.left"))

        await eventually(counted)
        clock.move(seconds=5)
        settle = next(t for t in app.state.service.timers if t.name == "settle_streams")
        assert [await settle.run(db, clock()) for _ in range(2)] == [1, 0]
        (event,) = await told(db, "streaming.stream.ended")
        assert (event["watched_s"], event["duration_s"], event["reason"]) == (90, 90, "host")
        assert event["peak"] in {0, 1}, "peaks are counted every two seconds"

    async def test_is_not_for_strangers(self, juma: Somebody, amina: Somebody) -> None:
        stream_id, _ = await juma.goes_live()

        answer = await amina.ask("POST", f"/streams/{stream_id}/end")

        assert (answer.status_code, answer.json()["code"]) == (403, "stream.not_yours")


class TestPublisher:
    async def test_is_told_by_long_poll_and_acknowledges(
        self, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        waiting = asyncio.create_task(
            juma.get(f"/boxes/{box_id}/publish-state?after_version=0&wait=10")
        )
        await asyncio.sleep(0.2)
        await amina.post(f"/boxes/{box_id}/viewers", expect=201)

        state = await asyncio.wait_for(waiting, 2)
        acked = await juma.post(
            f"/boxes/{box_id}/publish-ack", {"version": 1, "state": "publishing"}
        )
        early = await juma.ask(
            "POST", f"/boxes/{box_id}/publish-ack", json={"version": 2, "state": "publishing"}
        )

        assert (state["is_published"], state["version"], state["acked_version"]) == (True, 1, 0)
        assert (acked["in_sync"], acked["publisher_state"]) == (True, "publishing")
        assert (early.status_code, early.json()["code"]) == (409, "box.version_unknown")
        assert early.json()["version"] == 1

    async def test_reads_why(self, juma: Somebody, amina: Somebody) -> None:
        _, box_id = await juma.goes_live()
        await amina.post(f"/boxes/{box_id}/viewers", expect=201)

        page = await juma.get(f"/boxes/{box_id}/publish-log")
        stranger = await amina.ask("GET", f"/boxes/{box_id}/publish-log")

        assert [(row["version"], row["reason"]) for row in page["data"]] == [(1, "first_viewer")]
        assert stranger.status_code == 403


class TestPresence:
    async def test_names_who_watches(
        self, db: Database, juma: Somebody, amina: Somebody, neema: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        await run(db, "insert into profiles (id, display_name) values (:id, 'Amina')", id=amina.id)
        for one in (amina, amina, neema):
            await one.post(f"/boxes/{box_id}/viewers", expect=201)

        members = (await juma.get(f"/boxes/{box_id}/presence"))["data"]
        stats = await juma.get(f"/boxes/{box_id}/presence/stats")

        found = {one["viewer_id"]: (one["display_name"], one["sessions"]) for one in members}
        assert found == {str(amina.id): ("Amina", 2), str(neema.id): (None, 1)}
        assert (stats["viewers"], stats["sessions"], stats["suspect"]) == (2, 3, 0)
