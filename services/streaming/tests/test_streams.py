import asyncio

import pytest
from fastapi import FastAPI

from hazina import ids
from hazina.pg import Database
from hazina.standard import Mint, MovableClock

from .given import V1, Somebody, heard, rows, run, told

pytestmark = pytest.mark.anyio


class TestAnnounce:
    async def test_gives_the_host_a_box_in_slot_0(self, juma: Somebody) -> None:
        made = await juma.post("/streams", {"title": "Cooking ugali"}, expect=201)

        assert (made["status"], made["profile_id"], made["org_id"]) == (
            "scheduled",
            str(juma.id),
            str(juma.org_id),
        )
        (box,) = made["boxes"]
        assert (box["slot"], box["streamer_id"], box["is_published"]) == (0, str(juma.id), False)
        assert made["recent_gifts"] == {"count_60s": 0, "coins_60s": 0}
        assert (await juma.get(f"/streams/{made['id']}")) == made

    async def test_asked_twice_with_one_key_makes_one(self, juma: Somebody, http: object) -> None:
        headers = {"Authorization": f"Bearer {juma.token()}", "Idempotency-Key": "a1"}
        first, second = [
            await juma._http.post(f"{V1}/streams", headers=headers, json={"title": "Once"})
            for _ in range(2)
        ]

        assert first.json() == second.json()
        assert second.headers["Idempotency-Replayed"] == "true"

    async def test_is_not_for_those_who_only_look(self, juma: Somebody) -> None:
        headers = {"Authorization": f"Bearer {juma.token(org_role='viewer')}"}
        answer = await juma._http.post(f"{V1}/streams", headers=headers, json={"title": "No"})

        assert (answer.status_code, answer.json()["code"]) == (403, "org.role_too_low")


class TestStart:
    async def test_says_so_once(self, db: Database, juma: Somebody) -> None:
        stream_id, _ = await juma.goes_live()
        again = await juma.post(f"/streams/{stream_id}/start")

        assert again["status"] == "live"
        (event,) = await told(db, "streaming.stream.started")
        assert (event["stream_id"], event["title"]) == (stream_id, "Cooking ugali")
        profile = await juma.get(f"/profiles/{juma.id}")
        assert (profile["is_live"], profile["live_stream_id"]) == (True, stream_id)

    async def test_of_two_at_once_lets_one_win(self, db: Database, juma: Somebody) -> None:
        made = [await juma.post("/streams", {"title": "Two"}, expect=201) for _ in range(2)]

        answers = await asyncio.gather(
            *(juma.ask("POST", f"/streams/{one['id']}/start") for one in made)
        )

        assert sorted(answer.status_code for answer in answers) == [200, 409]
        lost = next(answer.json() for answer in answers if answer.status_code == 409)
        won = next(answer.json() for answer in answers if answer.status_code == 200)
        assert (lost["code"], lost["live_stream_id"]) == ("stream.already_live", won["id"])
        assert len(await told(db, "streaming.stream.started")) == 1

    async def test_after_the_end_is_refused(self, db: Database, juma: Somebody) -> None:
        stream_id, _ = await juma.goes_live()
        await juma.post(f"/streams/{stream_id}/end")

        answer = await juma.ask("POST", f"/streams/{stream_id}/start")

        assert (answer.status_code, answer.json()["code"]) == (409, "stream.ended")
        assert (await juma.get(f"/profiles/{juma.id}"))["is_live"] is False

    async def test_is_the_host_s_alone(self, juma: Somebody, amina: Somebody) -> None:
        made = await juma.post("/streams", {"title": "Mine"}, expect=201)

        answer = await amina.ask("POST", f"/streams/{made['id']}/start")

        assert (answer.status_code, answer.json()["code"]) == (403, "stream.not_yours")


class TestEnd:
    async def test_by_the_owner_of_the_organisation_is_moderation(
        self, juma: Somebody, amina: Somebody
    ) -> None:
        stream_id, _ = await juma.goes_live()
        amina.org_id = juma.org_id

        ended = await amina.post(f"/streams/{stream_id}/end")

        assert ended["ended_reason"] == "moderator"

    async def test_before_the_start_is_a_cancellation(self, juma: Somebody) -> None:
        made = await juma.post("/streams", {"title": "Never"}, expect=201)

        assert (await juma.post(f"/streams/{made['id']}/end"))["ended_reason"] == "cancelled"

    async def test_comes_when_the_publisher_is_lost(
        self, app: FastAPI, db: Database, clock: MovableClock, juma: Somebody
    ) -> None:
        stream_id, box_id = await juma.goes_live()
        ender = next(t for t in app.state.service.timers if t.name == "end_abandoned_streams")
        app.state.cells._began_at -= 400  # a process that has been up for long enough
        assert await ender.run(db, clock()) == 0
        clock.move(minutes=4)
        await juma.get(f"/boxes/{box_id}/publish-state")
        clock.move(minutes=4)
        assert await ender.run(db, clock()) == 0, "it was heard four minutes ago"
        clock.move(minutes=2)

        assert await ender.run(db, clock()) == 1
        assert (await juma.get(f"/streams/{stream_id}"))["ended_reason"] == "publisher_lost"


class TestBoxes:
    async def test_take_the_lowest_free_slot_up_to_the_limit(
        self, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        stream_id, _ = await juma.goes_live()
        path = f"/streams/{stream_id}/boxes"
        made = [await juma.post(path, {"streamer_id": str(amina.id)}, expect=201) for _ in range(3)]
        full = await juma.ask("POST", path, json={})
        await juma.ask("DELETE", f"/boxes/{made[0]['id']}")
        again = await juma.post(path, expect=201)

        assert [box["slot"] for box in made] == [1, 2, 3]
        assert full.status_code == 403
        assert (full.json()["code"], full.json()["limit"]) == ("entitlement.limit_reached", 4)
        assert again["slot"] == 1


class TestLive:
    async def test_is_found_in_three_orders(
        self, db: Database, clock: MovableClock, http: object, token: Mint, amina: Somebody
    ) -> None:
        hosts = []
        for viewers, language in ((1, "sw"), (9, "en"), (8, "sw")):
            host = Somebody(amina._http, token)
            stream_id, _ = await host.goes_live()
            await run(
                db,
                "update live_streams set viewer_count = :n, language = :l where id = :id",
                n=viewers,
                l=language,
                id=stream_id,
            )
            hosts.append(stream_id)
            clock.move(seconds=1)
        small, big, middle = hosts

        async def order(query: str) -> list[str]:
            page = await amina.get(f"/streams/live?{query}")
            return [row["stream"]["id"] for row in page["data"]]

        assert await order("sort=newest") == [middle, big, small]
        assert await order("sort=viewers") == [big, middle, small]
        # Eight and nine viewers are alike: the newer comes first.
        assert await order("") == [middle, big, small]
        assert await order("language=sw") == [middle, small, big]
        assert await order("sort=newest&language=sw") == [middle, small]
        page = await amina.get("/streams/live?language=sw")
        assert page["data"][0]["reasons"] == ["popular", "new", "language"]

    async def test_lists_by_page(self, juma: Somebody, clock: MovableClock) -> None:
        made = []
        for _ in range(3):
            made.append((await juma.post("/streams", {"title": "n"}, expect=201))["id"])
            clock.move(seconds=1)

        first = await juma.get(f"/streams?profile_id={juma.id}&limit=2")
        rest = await juma.get(
            f"/streams?profile_id={juma.id}&limit=2&cursor={first['next_cursor']}"
        )

        assert [row["id"] for row in first["data"] + rest["data"]] == made[::-1]
        assert rest["next_cursor"] is None


class TestPeople:
    async def test_are_as_new_as_was_told(
        self, app: FastAPI, db: Database, clock: MovableClock, juma: Somebody
    ) -> None:
        await heard(
            app, db, clock(), "identity.user.profile_changed.v1", person(juma, 3, "Juma III")
        )
        await heard(app, db, clock(), "identity.user.registered.v1", person(juma, 1, "Juma"))
        await heard(
            app,
            db,
            clock(),
            "identity.user.profile_changed.v1",
            person(juma, 5, "Juma V"),
            person(juma, 4, "Juma IV"),
        )

        found = await juma.get(f"/profiles/{juma.id}")
        assert (found["display_name"], found["username"]) == ("Juma V", "juma")

    async def test_keep_what_they_did_before_they_were_known(
        self, app: FastAPI, db: Database, clock: MovableClock, juma: Somebody
    ) -> None:
        await juma.goes_live()
        await heard(app, db, clock(), "identity.user.registered.v1", person(juma, 1, "Juma"))

        found = await juma.get(f"/profiles/{juma.id}")
        assert (found["display_name"], found["is_live"]) == ("Juma", True)

    async def test_may_use_what_billing_said_last(
        self, app: FastAPI, db: Database, clock: MovableClock, juma: Somebody
    ) -> None:
        for version, boxes in ((2, 1), (1, 9)):
            fact = {
                "org_id": str(juma.org_id),
                "version": version,
                "limits": {"max_boxes_per_stream": boxes},
                "features": [],
            }
            await heard(app, db, clock(), "billing.entitlements.changed.v1", fact)
        stream_id, _ = await juma.goes_live()

        answer = await juma.ask("POST", f"/streams/{stream_id}/boxes", json={})

        assert (answer.status_code, answer.json()["limit"]) == (403, 1)
        (row,) = await rows(db, "select version from entitlement_snapshot")
        assert row.version == 2


def person(who: Somebody, version: int, name: str) -> dict[str, object]:
    """A person as identity tells of them."""
    told = {"user_id": str(who.id), "version": version, "username": "juma", "display_name": name}
    return told | {"personal_org_id": str(ids.new())}
