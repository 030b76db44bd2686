"""What staff do with accounts, and statements of any length."""

import csv
import io
import json
from typing import Any

import httpx
import pytest

from hazina import ids
from hazina.pg import Database
from ledger.account.rules import of_user
from ledger.posting.actions import Book

from ..people import LION, Bearer, Person, ask, grant, welcome  # noqa: TID252

pytestmark = pytest.mark.anyio


@pytest.fixture
async def amina(db: Database, book: Book) -> Person:
    """Somebody with 150 coins, in two parts."""
    person = await welcome(db)
    await grant(db, book, person, 100)
    await grant(db, book, person, 50)
    return person


@pytest.fixture
def staff(bearer: Bearer) -> dict[str, str]:
    """The headers of an admin who gave a second factor."""
    return bearer(ids.new(), platform_role="admin", aal=2)


class TestPatchAccount:
    async def test_freezes_and_thaws(
        self,
        http: httpx.AsyncClient,
        db: Database,
        *,
        amina: Person,
        staff: dict[str, str],
        bearer: Bearer,
    ) -> None:
        juma = await welcome(db)
        path = f"/ledger/v1/accounts/{of_user(amina.id).id}"
        gift = {"gift_type_id": LION, "recipient_id": str(juma.id)}

        frozen = await http.patch(path, json={"frozen": "debit"}, headers=staff)
        refused = await ask(http, bearer(amina.id), "/gifts", gift)
        thawed = await http.patch(path, json={"frozen": "no"}, headers=staff)
        given = await ask(http, bearer(amina.id), "/gifts", gift)

        assert [answer.json()["frozen"] for answer in (frozen, thawed)] == ["debit", "no"]
        assert (refused.status_code, refused.json()["code"]) == (409, "account.frozen")
        assert given.status_code == 201

    @pytest.mark.parametrize(
        ("change", "headers", "status", "code"),
        [
            ({"floor": 151}, {}, 409, "account.limit_exceeded"),
            ({"ceiling": 149}, {}, 409, "account.limit_exceeded"),
            ({"frozen": "all"}, {"If-Match": '"1"'}, 412, "precondition.failed"),
            ({"frozen": "maybe"}, {}, 422, "validation.failed"),
        ],
    )
    async def test_refuses(
        self,
        http: httpx.AsyncClient,
        *,
        amina: Person,
        staff: dict[str, str],
        change: dict[str, Any],
        headers: dict[str, str],
        status: int,
        code: str,
    ) -> None:
        path = f"/ledger/v1/accounts/{of_user(amina.id).id}"

        answer = await http.patch(path, json=change, headers=staff | headers)

        assert (answer.status_code, answer.json()["code"]) == (status, code)

    async def test_keeps_a_new_floor(
        self,
        http: httpx.AsyncClient,
        db: Database,
        *,
        amina: Person,
        staff: dict[str, str],
        bearer: Bearer,
    ) -> None:
        juma = await welcome(db)
        path = f"/ledger/v1/accounts/{of_user(amina.id).id}"
        await http.patch(path, json={"floor": 51}, headers=staff | {"If-Match": '"2"'})

        answer = await ask(
            http, bearer(amina.id), "/gifts", {"gift_type_id": LION, "recipient_id": str(juma.id)}
        )

        assert (answer.json()["code"], answer.json()["available"]) == (
            "account.insufficient_funds",
            99,
        )

    async def test_is_not_for_users(
        self, http: httpx.AsyncClient, amina: Person, bearer: Bearer
    ) -> None:
        path = f"/ledger/v1/accounts/{of_user(amina.id).id}"

        answer = await http.patch(path, json={"frozen": "no"}, headers=bearer(amina.id))

        assert answer.status_code == 403


class TestStatement:
    async def test_runs_from_opening_to_closing(
        self, http: httpx.AsyncClient, amina: Person, bearer: Bearer
    ) -> None:
        path = f"/ledger/v1/accounts/{of_user(amina.id).id}/statement"

        lines = await http.get(f"{path}?format=jsonl", headers=bearer(amina.id))
        table = await http.get(path, headers=bearer(amina.id))

        told = [json.loads(line) for line in lines.text.splitlines()]
        assert [(line["kind"], line["amount"], line["balance_after"]) for line in told] == [
            ("opening", None, 0),
            ("deposit", 100, 100),
            ("deposit", 50, 150),
            ("closing", None, 150),
        ]
        rows = list(csv.DictReader(io.StringIO(table.text)))
        assert [row["balance_after"] for row in rows] == ["0", "100", "150", "150"]
        assert table.headers["content-type"].startswith("text/csv")

    async def test_begins_with_what_was_held_before(
        self, http: httpx.AsyncClient, amina: Person, bearer: Bearer
    ) -> None:
        base = f"/ledger/v1/accounts/{of_user(amina.id).id}"
        newest = (await http.get(f"{base}/entries", headers=bearer(amina.id))).json()["data"][0]
        since = newest["created_at"].replace("+", "%2B")

        answer = await http.get(
            f"{base}/statement?format=jsonl&from={since}", headers=bearer(amina.id)
        )

        told = [json.loads(line) for line in answer.text.splitlines()]
        assert [(line["seq"], line["balance_after"]) for line in told] == [
            (1, 100),
            (2, 150),
            (2, 150),
        ]

    async def test_is_unknown_to_others(
        self, http: httpx.AsyncClient, amina: Person, bearer: Bearer
    ) -> None:
        path = f"/ledger/v1/accounts/{of_user(amina.id).id}/statement"

        assert (await http.get(path, headers=bearer(ids.new()))).status_code == 404
