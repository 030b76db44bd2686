import asyncio

import pytest

from hazina import ids
from hazina.pg import Database

from .given import Somebody, rows, run

pytestmark = pytest.mark.anyio


class TestSay:
    async def test_numbers_what_is_said(self, juma: Somebody, amina: Somebody) -> None:
        stream_id, _ = await juma.goes_live()
        path = f"/streams/{stream_id}/chat"

        first = await amina.post(path, {"body": "  Habari\u0007 yako  "}, expect=201)
        second = await juma.post(path, {"body": "Nzuri"}, expect=201)

        assert [(m["seq"], m["body"]) for m in (first, second)] == [
            (1, "Habari yako"),
            (2, "Nzuri"),
        ]
        page = await juma.get(f"{path}?after_seq=1")
        assert ([m["seq"] for m in page["data"]], page["last_seq"]) == ([2], 2)
        page = await juma.get(f"{path}?before_seq=2")
        assert [m["seq"] for m in page["data"]] == [1]

    async def test_of_one_name_is_said_once(self, juma: Somebody, amina: Somebody) -> None:
        stream_id, _ = await juma.goes_live()
        path = f"/streams/{stream_id}/chat"
        ask = {"body": "Habari", "client_msg_id": "m1"}

        answers = await asyncio.gather(*(amina.post(path, ask, expect=201) for _ in range(4)))

        assert {answer["seq"] for answer in answers} == {1}
        assert (await juma.get(path))["last_seq"] == 1

    async def test_by_eight_at_once_leaves_no_gap(
        self, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        stream_id, _ = await juma.goes_live()
        path = f"/streams/{stream_id}/chat"

        async def speak(n: int) -> list[int]:
            return [
                (await amina.post(path, {"body": f"{n} {k}"}, expect=201))["seq"] for k in range(5)
            ]

        said = await asyncio.gather(*(speak(n) for n in range(8)))

        assert sorted(seq for seqs in said for seq in seqs) == list(range(1, 41))
        assert all(seqs == sorted(seqs) for seqs in said)
        kept = await rows(db, "select seq from chat_messages order by seq")
        assert [row.seq for row in kept] == list(range(1, 41))

    async def test_waits_in_slow_mode(self, db: Database, juma: Somebody, amina: Somebody) -> None:
        stream_id, _ = await juma.goes_live()
        path = f"/streams/{stream_id}/chat"
        await run(db, "update chat_rooms set slow_seconds = 30")
        await amina.post(path, {"body": "one"}, expect=201)

        answer = await amina.ask("POST", path, json={"body": "two"})
        hosts = [await juma.ask("POST", path, json={"body": "free"}) for _ in range(2)]

        assert (answer.status_code, answer.json()["code"]) == (429, "chat.slow_mode")
        assert answer.json()["retry_after_ms"] == 30_000
        assert answer.headers["Retry-After"] == "30"
        assert [host.status_code for host in hosts] == [201, 201]

    @pytest.mark.parametrize("body", ["", " ", "\u0007", "x" * 501])
    async def test_refuses_what_says_nothing(
        self, juma: Somebody, amina: Somebody, body: str
    ) -> None:
        stream_id, _ = await juma.goes_live()

        answer = await amina.ask("POST", f"/streams/{stream_id}/chat", json={"body": body})

        assert answer.status_code == 422

    async def test_refuses_by_the_first_broken_rule(
        self, db: Database, juma: Somebody, amina: Somebody
    ) -> None:
        stream = await juma.post("/streams", {"title": "Soon"}, expect=201)
        path = f"/streams/{stream['id']}/chat"
        codes = []

        async def attempt(who: Somebody, where: str = path) -> None:
            codes.append((await who.ask("POST", where, json={"body": "hi"})).json()["code"])

        await attempt(amina, f"/streams/{ids.new()}/chat")
        await run(db, "insert into profiles (id, status) values (:id, 'banned')", id=amina.id)
        ban = """insert into chat_sanctions (id, owner_id, profile_id, kind, by)
                 values (uuidv7(), :juma, :amina, 'ban', :juma)"""
        await run(db, ban, juma=juma.id, amina=amina.id)
        await attempt(amina)
        await run(db, "update profiles set status = 'active'")
        await attempt(amina)
        await run(db, "update chat_sanctions set lifted_at = now()")
        await attempt(amina)

        assert codes == ["stream.unknown", "user.suspended", "chat.banned", "stream.not_live"]
