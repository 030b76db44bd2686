"""Reading a list to its end."""

from collections.abc import AsyncIterator

import httpx
import pytest

from hazina.chassis import asgi

from . import given

pytestmark = pytest.mark.anyio


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(asgi(given.service()))
    async with httpx.AsyncClient(transport=transport, base_url="http://given") as client:
        yield client


class TestPaging:
    async def test_shows_every_row_once(self, http: httpx.AsyncClient) -> None:
        seen: list[list[str]] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await http.get("/given/v1/words", params={"limit": "2"} | cursor)).json()
            seen.append([row["word"] for row in page["data"]])
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}

        assert seen == [["a", "b"], ["c", "d"], ["e"]]

    @pytest.mark.parametrize(
        "cursor", ["nonsense", "W10", "WzFd", "\u00fc", "====", "eyI", "WyJcdTAwMDAiXQ"]
    )
    async def test_refuses_a_cursor_that_it_never_gave(
        self, http: httpx.AsyncClient, cursor: str
    ) -> None:
        answer = await http.get("/given/v1/words", params={"cursor": cursor})

        assert (answer.status_code, answer.json()["code"]) == (400, "page.cursor_malformed")
