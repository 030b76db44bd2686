"""Keys as a caller meets them, on the sample service."""

import asyncio
from typing import Any

import httpx
import pytest

from hazina import ids
from hazina.standard import MovableClock

pytestmark = pytest.mark.anyio

NOTES = "/sample/v1/notes"


@pytest.fixture
def someone(bearer: Any) -> dict[str, str]:
    """The headers of one person."""
    return dict(bearer(ids.new()))


def keyed(headers: dict[str, str], key: str = "k1") -> dict[str, str]:
    return headers | {"Idempotency-Key": key}


async def count(http: httpx.AsyncClient, someone: dict[str, str]) -> int:
    return len((await http.get(NOTES, headers=someone)).json()["data"])


class TestAskingTwice:
    async def test_gives_the_first_answer_and_changes_nothing(
        self, http: httpx.AsyncClient, someone: dict[str, str]
    ) -> None:
        first = await http.post(NOTES, json={"text": "tea"}, headers=keyed(someone))

        again = await http.post(NOTES, json={"text": "tea"}, headers=keyed(someone))

        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert await count(http, someone) == 1

    async def test_has_one_effect_however_many_ask_at_once(
        self, http: httpx.AsyncClient, someone: dict[str, str]
    ) -> None:
        asked = [http.post(NOTES, json={"text": "tea"}, headers=keyed(someone)) for _ in range(12)]

        answers = await asyncio.gather(*asked)

        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert sum("idempotency-replayed" in answer.headers for answer in answers) == 11
        assert await count(http, someone) == 1

    async def test_for_something_else_names_the_first_field_that_differs(
        self, http: httpx.AsyncClient, someone: dict[str, str]
    ) -> None:
        await http.post(NOTES, json={"text": "tea"}, headers=keyed(someone))

        other = await http.post(NOTES, json={"text": "milk"}, headers=keyed(someone))

        assert other.status_code == 422
        assert other.json()["code"] == "idempotency.key_reused"
        assert other.json()["field"] == "/text"
        assert await count(http, someone) == 1

    async def test_by_somebody_else_is_another_attempt(
        self, http: httpx.AsyncClient, someone: dict[str, str], bearer: Any
    ) -> None:
        other = bearer(ids.new())
        first = await http.post(NOTES, json={"text": "tea"}, headers=keyed(someone))

        theirs = await http.post(NOTES, json={"text": "milk"}, headers=keyed(other))

        assert theirs.status_code == 201
        assert theirs.json()["id"] != first.json()["id"]

    async def test_after_a_refusal_is_a_fresh_attempt(
        self, http: httpx.AsyncClient, app: Any, someone: dict[str, str]
    ) -> None:
        app.state.notes_max = 0
        refused = await http.post(NOTES, json={"text": "tea"}, headers=keyed(someone))
        app.state.notes_max = 1

        again = await http.post(NOTES, json={"text": "tea"}, headers=keyed(someone))

        assert refused.status_code == 429
        assert again.status_code == 201
        assert "idempotency-replayed" not in again.headers

    async def test_after_a_day_is_a_fresh_attempt(
        self, http: httpx.AsyncClient, clock: MovableClock, bearer: Any
    ) -> None:
        user_id = ids.new()
        first = await http.post(NOTES, json={"text": "tea"}, headers=keyed(bearer(user_id)))
        clock.move(hours=24)

        later = await http.post(NOTES, json={"text": "milk"}, headers=keyed(bearer(user_id)))

        assert later.status_code == 201
        assert later.json()["id"] != first.json()["id"]


class TestTheKey:
    async def test_is_asked_for(self, http: httpx.AsyncClient, someone: dict[str, str]) -> None:
        answer = await http.post(NOTES, json={"text": "tea"}, headers=someone)

        assert answer.status_code == 400
        assert answer.json()["code"] == "idempotency.key_missing"

    @pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "a\tb"])
    async def test_is_short_printable_ascii(
        self, http: httpx.AsyncClient, someone: dict[str, str], key: str
    ) -> None:
        headers: Any = [*someone.items(), (b"Idempotency-Key", key.encode("latin-1"))]

        answer = await http.post(NOTES, json={"text": "tea"}, headers=headers)

        assert answer.status_code == 400
        assert answer.json()["code"] == "idempotency.key_malformed"
