"""What the chassis gives to a whole service: versions, pages, the ledger of facts."""

from base64 import b64encode
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text

from hazina import ids
from hazina.chassis import Db, Service, asgi

pytestmark = pytest.mark.anyio

NOTES = "/sample/v1/notes"


@pytest.fixture
def someone(bearer: Any) -> dict[str, str]:
    """The headers of one person."""
    return dict(bearer(ids.new()))


async def write(http: httpx.AsyncClient, someone: dict[str, str], text: str) -> Any:
    key = {"Idempotency-Key": str(ids.new())}
    answer = await http.post(NOTES, json={"text": text}, headers=someone | key)
    assert answer.status_code == 201, answer.text
    return answer.json()


class TestIfMatch:
    async def test_lets_the_version_that_was_seen_be_changed(
        self, http: httpx.AsyncClient, someone: dict[str, str]
    ) -> None:
        note = await write(http, someone, "tea")
        seen = await http.get(f"{NOTES}/{note['id']}", headers=someone)
        match = {"If-Match": seen.headers["etag"]}

        changed = await http.put(
            f"{NOTES}/{note['id']}", json={"text": "milk"}, headers=someone | match
        )

        assert changed.json()["version"] == 2

    @pytest.mark.parametrize("tag", ['"7"', "nonsense", 'W/"1"', ""])
    async def test_refuses_every_other_version(
        self, http: httpx.AsyncClient, someone: dict[str, str], tag: str
    ) -> None:
        note = await write(http, someone, "tea")

        refused = await http.put(
            f"{NOTES}/{note['id']}", json={"text": "milk"}, headers=someone | {"If-Match": tag}
        )

        assert refused.status_code == 412
        assert refused.json()["code"] == "precondition.failed"

    @pytest.mark.parametrize("more", [{}, {"If-Match": "*"}])
    async def test_is_not_demanded(
        self, http: httpx.AsyncClient, someone: dict[str, str], more: dict[str, str]
    ) -> None:
        note = await write(http, someone, "tea")

        changed = await http.put(
            f"{NOTES}/{note['id']}", json={"text": "milk"}, headers=someone | more
        )

        assert changed.status_code == 200


class TestANumberThatNoColumnHolds:
    @pytest.mark.parametrize(("number", "status"), [(2**63 - 1, 200), (2**63, 422), (10**70, 422)])
    async def test_is_the_callers_doing(
        self, http: httpx.AsyncClient, app: FastAPI, number: int, status: int
    ) -> None:
        @app.get("/sample/v1/numbers/{number}")
        async def get_number(number: int, db: Db) -> None:
            async with db.reading() as tx:
                await tx.execute(text("select cast(:number as bigint)"), {"number": number})

        answer = await http.get(f"/sample/v1/numbers/{number}")

        assert answer.status_code == status


class TestACaller:
    async def test_without_a_token_is_challenged(self, http: httpx.AsyncClient) -> None:
        answer = await http.get(NOTES)

        assert answer.status_code == 401
        assert answer.json()["code"] == "auth.token_invalid"
        assert answer.headers["www-authenticate"].startswith("Bearer")

    async def test_sees_only_what_is_theirs(
        self, http: httpx.AsyncClient, someone: dict[str, str], bearer: Any
    ) -> None:
        note = await write(http, someone, "tea")
        stranger = bearer(ids.new())

        answers = [
            await http.get(path, headers=stranger) for path in (NOTES, f"{NOTES}/{note['id']}")
        ]

        assert answers[0].json()["data"] == []
        assert answers[1].status_code == 404
        assert answers[1].json()["code"] == "note.unknown"


class TestTheLedgerOfFacts:
    async def ask(self, service: Service, client: str, headers: dict[str, str], path: str) -> Any:
        transport = httpx.ASGITransport(asgi(service), client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://sample") as http:
            return await http.get(path, headers=headers)

    @pytest.mark.parametrize(("client", "status"), [("127.0.0.1", 200), ("10.0.0.9", 404)])
    async def test_without_a_token_is_for_this_machine(
        self, service: Service, client: str, status: int
    ) -> None:
        answer = await self.ask(service, client, {}, "/internal/outbox/0?after=0&limit=10")

        assert answer.status_code == status

    @pytest.mark.parametrize(
        ("shown", "status"),
        [(b"internal:right", 200), (b"internal:wrong", 404), (b"right", 404), (b"", 404)],
    )
    async def test_with_a_token_is_for_who_shows_it(
        self, service: Service, shown: bytes, status: int
    ) -> None:
        token = SecretStr("right")
        settings = service.settings.model_copy(update={"internal_token": token})
        guarded = Service(**(vars(service) | {"settings": settings}))
        headers = {"Authorization": f"Basic {b64encode(shown).decode()}"}

        answer = await self.ask(guarded, "127.0.0.1", headers, "/internal/outbox/0")

        assert answer.status_code == status

    @pytest.mark.parametrize(
        "path", ["x", "-1", "16", "0?after=-1", "0?after=x", "0?limit=0", "0?limit=1001"]
    )
    async def test_refuses_what_makes_no_sense(self, service: Service, path: str) -> None:
        answer = await self.ask(service, "127.0.0.1", {}, f"/internal/outbox/{path}")

        assert answer.status_code == 400
