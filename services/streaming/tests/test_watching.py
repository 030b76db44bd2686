import asyncio
import json
from datetime import datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from websockets.exceptions import ConnectionClosed

from hazina import ids
from hazina.pg import Database
from hazina.standard import Mint, MovableClock

from .given import Socket, Somebody, eventually, heard, is_state, rows, socket, told

pytestmark = pytest.mark.anyio

NOBODY = ids.derived("nobody")  # the same in every worker, for it names tests


@pytest.fixture
def http(web: httpx.AsyncClient) -> httpx.AsyncClient:
    """Everybody asks the server that also holds the sockets."""
    return web


async def closed(one: Socket, within_s: float = 5) -> tuple[int, str]:
    """Wait until the server closes; give its code and reason."""
    with pytest.raises(ConnectionClosed) as end:
        async with asyncio.timeout(within_s):
            await one.until(lambda _: False, within_s)
    assert end.value.rcvd is not None
    return end.value.rcvd.code, end.value.rcvd.reason


def about(push: dict[str, Any], kind: str) -> str | None:
    """Tell whose coming or going a push is about."""
    user: str | None = push.get(kind, {}).get("info", {}).get("user")
    return user


class TestConnect:
    async def test_says_how_to_stay(self, served: FastAPI, amina: Somebody) -> None:
        async with socket(served.state.address) as one:
            reply = await one.call("connect", token=amina.token())

        told = reply["connect"]
        assert (told["ping"], told["pong"], told["expires"]) == (2, True, True)
        assert 290 <= told["ttl"] <= 300

    async def test_refuses_a_token_that_is_not_ours(self, served: FastAPI) -> None:
        async with socket(served.state.address) as one:
            reply = await one.call("connect", token="a.b.c")

            assert reply["error"] == {"code": 401, "message": "auth.token_invalid"}
            assert await closed(one) == (3500, "invalid token")

    @pytest.mark.parametrize(
        "frame",
        [
            '{"id":1,"subscribe":{"channel":"box:1"}}',
            "nonsense",
            "{}\nnonsense",
            "[]",
            "x" * 20_000,
        ],
    )
    async def test_closes_on_what_makes_no_sense(self, served: FastAPI, frame: str) -> None:
        async with socket(served.state.address) as one:
            await one.raw.send(frame)

            assert await closed(one) == (3501, "bad request")

    async def test_takes_a_newer_token_of_the_same_user(
        self, served: FastAPI, amina: Somebody, juma: Somebody
    ) -> None:
        async with socket(served.state.address, amina.token()) as one:
            own = await one.call("refresh", token=amina.token())
            other = await one.call("refresh", token=juma.token())

        assert own["refresh"]["ttl"] > 0
        assert other["error"]["message"] == "auth.forbidden"


class TestWatch:
    async def test_publishes_with_the_first_viewer(
        self, served: FastAPI, juma: Somebody, amina: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        assert (await juma.get(f"/boxes/{box_id}"))["is_published"] is False

        async with (
            socket(served.state.address, juma.token()) as camera,
            socket(served.state.address, amina.token()) as screen,
        ):
            await camera.call("subscribe", channel=f"ctl:{box_id}")
            first = await camera.until(is_state(published=False))
            reply = await screen.call("subscribe", channel=f"box:{box_id}")
            told = await camera.until(is_state(published=True))
            acked = await camera.call(
                "rpc",
                method="publish.ack",
                data={"box_id": box_id, "version": 1, "state": "publishing"},
            )

        assert first["version"] == 0
        assert reply["subscribe"]["data"]["is_published"] is True
        assert reply["subscribe"]["data"]["publish_version"] == 1
        assert (told["reason"], told["version"]) == ("first_viewer", 1)
        assert told["media_path"].startswith("box_")
        assert acked["rpc"]["data"]["in_sync"] is True
        assert acked["rpc"]["data"]["publisher_state"] == "publishing"

    async def test_stays_published_while_pongs_come(
        self, served: FastAPI, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        async with socket(served.state.address, amina.token()) as screen:
            await screen.call("subscribe", channel=f"box:{box_id}")
            await screen.listen(7)  # longer than patience and linger

            assert (await juma.get(f"/boxes/{box_id}"))["publish_version"] == 1
        assert await told(db, "streaming.box.unpublished") == []

    async def test_tells_a_publisher_again_until_it_obeys(
        self, served: FastAPI, juma: Somebody, amina: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        async with (
            socket(served.state.address, juma.token()) as camera,
            socket(served.state.address, amina.token()) as screen,
        ):
            await camera.call("subscribe", channel=f"ctl:{box_id}")
            await screen.call("subscribe", channel=f"box:{box_id}")
            told = [await camera.until(is_state(published=True)) for _ in range(2)]

        assert [one["version"] for one in told] == [1, 1]

    async def test_ends_at_once_with_unsubscribe(
        self, served: FastAPI, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        async with socket(served.state.address, amina.token()) as screen:
            await screen.call("subscribe", channel=f"box:{box_id}")
            assert await screen.call("unsubscribe", channel=f"box:{box_id}") == {
                "id": 3,
                "unsubscribe": {},
            }

            async def counted() -> bool:
                return bool(await told(db, "streaming.viewer.left"))

            await eventually(counted, 2)
        (left,) = await told(db, "streaming.viewer.left")
        assert left["items"][0]["reason"] == "left"

    async def test_of_a_silent_client_is_doubted_then_over(
        self, served: FastAPI, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        async with socket(served.state.address, amina.token()) as screen:
            await screen.call("subscribe", channel=f"box:{box_id}")
            screen.mute = True
            assert await closed(screen) == (3012, "no pong")

        stats = await juma.get(f"/boxes/{box_id}/presence/stats")
        assert (stats["suspect"], stats["viewers"], stats["is_published"]) == (1, 1, True)

        async def off() -> bool:
            return not (await juma.get(f"/boxes/{box_id}"))["is_published"]

        await eventually(off, 9)
        (left,) = await told(db, "streaming.viewer.left")
        assert left["items"][0]["reason"] == "timeout"

    async def test_is_taken_up_again_without_anybody_noticing(
        self, served: FastAPI, db: Database, juma: Somebody, amina: Somebody, neema: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        channel = f"box:{box_id}"
        async with socket(served.state.address, neema.token()) as onlooker:
            await onlooker.call("subscribe", channel=channel)
            async with socket(served.state.address, amina.token()) as screen:
                before = await screen.call("subscribe", channel=channel)
            await onlooker.listen(0.3)
            onlooker.pushes.clear()
            async with socket(served.state.address, amina.token()) as screen:
                after = await screen.call("subscribe", channel=channel)
                await onlooker.listen(1.5)

        first, second = before["subscribe"]["data"], after["subscribe"]["data"]
        assert first["session_id"] == second["session_id"]
        assert (first["generation"], second["generation"]) == (1, 2)
        assert [push for push in onlooker.pushes if "join" in push or "leave" in push] == []
        assert await told(db, "streaming.viewer.left") == []

    async def test_tells_onlookers_who_comes_and_goes(
        self, served: FastAPI, juma: Somebody, amina: Somebody, neema: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        channel = f"box:{box_id}"
        async with (
            socket(served.state.address, neema.token()) as onlooker,
            socket(served.state.address, amina.token()) as screen,
        ):
            await onlooker.call("subscribe", channel=channel)
            await screen.call("subscribe", channel=channel)
            came = await onlooker.until(lambda push: about(push, "join") == str(amina.id))
            await screen.call("unsubscribe", channel=channel)
            went = await onlooker.until(lambda push: about(push, "leave") == str(amina.id))

        assert came["join"]["info"]["client"] == went["leave"]["info"]["client"]

    async def test_is_counted(self, served: FastAPI, juma: Somebody, amina: Somebody) -> None:
        _, box_id = await juma.goes_live()
        channel = f"box:{box_id}"
        async with (
            socket(served.state.address, amina.token()) as one,
            socket(served.state.address, amina.token()) as two,
        ):
            await one.call("subscribe", channel=channel)
            await two.call("subscribe", channel=channel)
            stats = await one.call("presence_stats", channel=channel)
            members = await one.call("presence", channel=channel)

        assert stats["presence_stats"] == {"num_clients": 2, "num_users": 1}
        users = [who["user"] for who in members["presence"]["presence"].values()]
        assert users == [str(amina.id)] * 2

    @pytest.mark.parametrize(
        ("channel", "error"),
        [
            ("nothing", {"code": 102, "message": "unknown channel"}),
            ("box:1", {"code": 102, "message": "unknown channel"}),
            (f"box:{NOBODY}", {"code": 404, "message": "box.unknown"}),
            (f"stream:{NOBODY}", {"code": 404, "message": "stream.unknown"}),
            (f"user:{NOBODY}", {"code": 403, "message": "auth.forbidden"}),
        ],
    )
    async def test_refuses_what_is_not_there(
        self, served: FastAPI, amina: Somebody, channel: str, error: dict[str, object]
    ) -> None:
        async with socket(served.state.address, amina.token()) as screen:
            reply = await screen.call("subscribe", channel=channel)

        assert reply["error"] == error

    async def test_refuses_strangers_the_publisher_s_channel(
        self, served: FastAPI, juma: Somebody, amina: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        async with socket(served.state.address, amina.token()) as screen:
            reply = await screen.call("subscribe", channel=f"ctl:{box_id}")

        assert reply["error"] == {"code": 403, "message": "box.not_yours"}

    async def test_lets_the_streamer_look_on_without_a_viewing(
        self, served: FastAPI, db: Database, juma: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        async with socket(served.state.address, juma.token()) as camera:
            reply = await camera.call("subscribe", channel=f"box:{box_id}")
            await camera.listen(0.5)

        assert reply["subscribe"]["data"]["is_published"] is False
        assert await rows(db, "select from box_viewers") == []


class TestLimits:
    async def test_refuse_one_channel_too_many(self, served: FastAPI, amina: Somebody) -> None:
        async with socket(served.state.address, amina.token()) as screen:
            own = f"user:{amina.id}"
            first = await screen.call("subscribe", channel=own)
            second = await screen.call("subscribe", channel=own)

        assert "subscribe" in first
        assert second["error"]["code"] == 105

    async def test_slow_a_client_down_and_then_close(
        self, served: FastAPI, amina: Somebody
    ) -> None:
        async with socket(served.state.address, amina.token()) as screen:
            for number in range(200):
                command = {"id": 100 + number, "presence_stats": {"channel": "x"}}
                await screen.raw.send(json.dumps(command))

            assert await closed(screen) == (3013, "rate")


class TestRevocation:
    async def test_closes_the_sockets_of_a_login(
        self, served: FastAPI, db: Database, clock: MovableClock, amina: Somebody, neema: Somebody
    ) -> None:
        async with (
            socket(served.state.address, amina.token()) as gone,
            socket(served.state.address, neema.token()) as stays,
        ):
            fact = {"user_id": amina.id, "session_ids": [amina.sid]}
            await heard(served, db, clock(), "identity.session.revoked.v1", fact)

            assert await closed(gone, 1) == (3500, "invalid token")
            assert "error" in await stays.call("presence_stats", channel="x")


class TestFollow:
    """A stream's channel: what is numbered arrives in order, and again after a break."""

    async def test_hears_gifts_and_chat_in_one_order(
        self,
        *,
        served: FastAPI,
        db: Database,
        clock: MovableClock,
        juma: Somebody,
        amina: Somebody,
    ) -> None:
        stream_id, _ = await juma.goes_live()
        channel = f"stream:{stream_id}"
        async with socket(served.state.address, amina.token()) as screen:
            reply = await screen.call("subscribe", channel=channel)
            said = {"type": "chat", "body": "Habari"}
            assert "publish" in await screen.call("publish", channel=channel, data=said)
            unkept = await screen.call(
                "publish", channel=channel, data=said | {"client_msg_id": "\x00"}
            )
            await heard(served, db, clock(), SENT, gift(amina, juma, clock(), stream_id))
            await juma.post(f"/streams/{stream_id}/chat", {"body": "Asante"}, expect=201)
            await screen.until(lambda data: data.get("seq") == 3)
            await screen.listen(0.2)
            past = await screen.call("history", channel=channel, limit=10)

        assert unkept["error"]["code"] == 107, "no column of ours holds that"
        assert reply["subscribe"]["recoverable"] is True
        assert reply["subscribe"]["offset"] == 0
        assert reply["subscribe"]["epoch"] == stream_id.replace("-", "")[:8]
        told = [(one["offset"], one["data"]["type"]) for one in past["history"]["publications"]]
        assert told == [(1, "chat"), (2, "gift"), (3, "chat")]

    async def test_is_given_what_it_missed(
        self, served: FastAPI, juma: Somebody, amina: Somebody
    ) -> None:
        stream_id, _ = await juma.goes_live()
        path, channel = f"/streams/{stream_id}/chat", f"stream:{stream_id}"
        async with socket(served.state.address, amina.token()) as screen:
            before = (await screen.call("subscribe", channel=channel))["subscribe"]
        for n in range(3):
            await juma.post(path, {"body": str(n)}, expect=201)
        place = {"recover": True, "epoch": before["epoch"], "offset": before["offset"]}
        async with socket(served.state.address, amina.token()) as screen:
            after = (await screen.call("subscribe", channel=channel, **place))["subscribe"]
        for n in range(301):
            await juma.post(path, {"body": str(n)}, expect=201)
        async with socket(served.state.address, amina.token()) as screen:
            late = (await screen.call("subscribe", channel=channel, **place))["subscribe"]

        assert after["recovered"] is True
        assert [pub["offset"] for pub in after["publications"]] == [1, 2, 3]
        assert (late["recovered"], late.get("publications")) == (False, None)

    async def test_hears_each_message_once_while_many_speak(
        self, served: FastAPI, juma: Somebody, amina: Somebody
    ) -> None:
        stream_id, _ = await juma.goes_live()
        path, channel = f"/streams/{stream_id}/chat", f"stream:{stream_id}"

        async def speak(n: int) -> None:
            for k in range(10):
                await juma.post(path, {"body": f"{n} {k}"}, expect=201)

        speaking = [asyncio.create_task(speak(n)) for n in range(4)]
        await asyncio.sleep(0.05)
        async with socket(served.state.address, amina.token()) as screen:
            start = (await screen.call("subscribe", channel=channel))["subscribe"]["offset"]
            await screen.until(lambda data: data.get("seq") == 40, 20)
        await asyncio.gather(*speaking)

        heard = [push["pub"]["offset"] for push in screen.pushes if "offset" in push["pub"]]
        assert heard == list(range(start + 1, 40)), "and then the fortieth"


SENT = "ledger.gift.sent.v1"


def gift(sender: Somebody, recipient: Somebody, at: datetime, stream_id: str) -> dict[str, Any]:
    """A gift as the ledger tells of it."""
    who = {"sender_id": sender.id, "recipient_id": recipient.id, "stream_id": stream_id}
    what = {"gift_type": "lion", "quantity": 1, "coin_amount": 100, "sent_at": at}
    return {"gift_id": ids.new(), **who, **what}


class TestStop:
    async def test_keeps_viewings_for_the_next_process(
        self, served: FastAPI, db: Database, juma: Somebody, amina: Somebody, token: Mint
    ) -> None:
        _, box_id = await juma.goes_live()
        joined = await amina.post(f"/boxes/{box_id}/viewers", expect=201)
        presence = served.state.presence

        async def mirrored() -> bool:
            return bool(await rows(db, "select from box_viewers"))

        await eventually(mirrored)
        presence.audience.forget(list(range(64)))
        presence.cells.held = {}  # as a process that has just begun
        await served.state.keeping.upkeep.lease()

        beat = await amina.post(f"/viewers/{joined['session_id']}/heartbeat")
        assert (beat["is_published"], beat["publish_version"]) == (True, 1)
