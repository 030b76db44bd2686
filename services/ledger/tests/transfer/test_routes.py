"""Transfers over HTTP, on a real book."""

from typing import Any

import httpx
import pytest

from hazina import ids
from hazina.pg import Database
from ledger.account.rules import of_user
from ledger.posting.actions import Book

from ..people import Bearer, Person, ask, grant, welcome  # noqa: TID252

pytestmark = pytest.mark.anyio


def body(payer: Person, payee: Person, amount: int, **more: Any) -> dict[str, Any]:
    return {
        "from": {"owner_type": "user", "owner_id": str(payer.id)},
        "to": {"owner_type": "user", "owner_id": str(payee.id)},
        "asset": "KES",
        "amount": amount,
    } | more


@pytest.fixture
async def amina(db: Database, book: Book) -> Person:
    """Somebody with a thousand shillings."""
    person = await welcome(db)
    await grant(db, book, person, 100_000, "KES")
    return person


class TestPostTransfer:
    async def test_moves_the_money_and_shows_each_their_own_side(
        self, http: httpx.AsyncClient, db: Database, amina: Person, bearer: Bearer
    ) -> None:
        juma = await welcome(db)
        asked = body(amina, juma, 25_000, reference="chama-nov", metadata={"a": 1})

        answer = await ask(http, bearer(amina.id), "/transfers", asked)

        assert answer.status_code == 201, answer.text
        made = answer.json()
        purse, his = of_user(amina.id, asset="KES").id, of_user(juma.id, asset="KES").id
        assert made == {
            "id": made["id"],
            "kind": "transfer",
            "asset": "KES",
            "amount": 25_000,
            "legs": [
                {"account_id": str(purse), "amount": -25_000, "balance_after": 75_000, "seq": 2},
                {"account_id": str(his), "amount": 25_000},
            ],
            "reference": "chama-nov",
            "metadata": {"a": 1},
            "reverses": None,
            "created_at": made["created_at"],
        }
        path = f"/ledger/v1/transactions/{made['id']}"
        assert (await http.get(path, headers=bearer(amina.id))).json() == made
        seen = (await http.get(path, headers=bearer(juma.id))).json()
        assert [("seq" in leg) for leg in seen["legs"]] == [False, True]
        assert (await http.get(path, headers=bearer(ids.new()))).status_code == 404
        listed = await http.get(
            "/ledger/v1/transactions?reference=chama-nov", headers=bearer(juma.id)
        )
        assert [one["id"] for one in listed.json()["data"]] == [made["id"]]

    async def test_asked_twice_moves_once(
        self, http: httpx.AsyncClient, db: Database, amina: Person, bearer: Bearer
    ) -> None:
        juma = await welcome(db)
        first, again = [
            await ask(http, bearer(amina.id), "/transfers", body(amina, juma, 1), key="one")
            for _ in range(2)
        ]

        assert first.text == again.text
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"asset": "XAU"}, 422, "transfer.asset_unknown"),
            ({"asset": "COIN"}, 422, "transfer.asset_not_transferable"),
            ({"amount": 100_001}, 409, "account.insufficient_funds"),
            ({"amount": 0}, 422, "validation.failed"),
            ({"amount": 10**15 + 1}, 422, "validation.failed"),
            ({"amount": 1.5}, 422, "validation.failed"),
            ({"amount": "1"}, 422, "validation.failed"),
            ({"metadata": {"a": "x" * 501}}, 422, "validation.failed"),
            ({"metadata": {str(n): "x" * 300 for n in range(9)}}, 422, "validation.failed"),
            ({"more": 1}, 422, "validation.failed"),
            (
                {"to": {"owner_type": "user", "owner_id": str(ids.new())}},
                404,
                "account.owner_unknown",
            ),
            (
                {"to": {"owner_type": "org", "owner_id": str(ids.new())}},
                404,
                "account.owner_unknown",
            ),
            ({"to": {"owner_type": "user"}}, 404, "account.owner_unknown"),
            ({"to": str(ids.new())}, 404, "account.unknown"),
            ({"to": {"owner_type": "platform", "purpose": "revenue"}}, 403, "auth.forbidden"),
            ({"from": {"owner_type": "platform", "purpose": "bonus"}}, 403, "auth.forbidden"),
        ],
    )
    async def test_refuses(
        self,
        http: httpx.AsyncClient,
        db: Database,
        amina: Person,
        *,
        bearer: Bearer,
        change: dict[str, Any],
        status: int,
        code: str,
    ) -> None:
        juma = await welcome(db)

        answer = await ask(http, bearer(amina.id), "/transfers", body(amina, juma, 1) | change)

        assert (answer.status_code, answer.json()["code"]) == (status, code)

    async def test_lets_nobody_move_anothers_money(
        self, http: httpx.AsyncClient, db: Database, amina: Person, bearer: Bearer
    ) -> None:
        juma = await welcome(db)

        answer = await ask(http, bearer(juma.id), "/transfers", body(amina, juma, 1))

        assert (answer.status_code, answer.json()["code"]) == (403, "auth.forbidden")

    async def test_lets_a_service_with_the_scope_move_any(
        self, http: httpx.AsyncClient, db: Database, amina: Person, bearer: Bearer
    ) -> None:
        juma = await welcome(db)
        trusted = bearer(service="billing", scopes=["ledger:write"])
        stranger = bearer(service="billing", scopes=["ledger:read"])

        answers = [
            await ask(http, headers, "/transfers", body(amina, juma, 1))
            for headers in (trusted, stranger)
        ]

        assert [answer.status_code for answer in answers] == [201, 403]

    @pytest.mark.parametrize("purpose", ["moneybox", "debt", "pending"])
    @pytest.mark.parametrize("side", ["from", "to"])
    async def test_lets_nobody_reach_what_a_capability_keeps(
        self,
        http: httpx.AsyncClient,
        db: Database,
        amina: Person,
        *,
        bearer: Bearer,
        side: str,
        purpose: str,
    ) -> None:
        juma = await welcome(db)
        kept = {"owner_type": "user", "owner_id": str(amina.id), "purpose": purpose}
        asked = body(juma, juma, 1) | {side: kept}
        service = bearer(service="billing", scopes=["ledger:write"])

        alone = await ask(http, service, "/transfers", asked)
        held = await ask(http, service, "/holds", asked | {"expires_in_s": 60})
        many = await ask(http, service, "/transfers/bulk", {"transfers": [asked]})

        for answer in (alone, held):
            assert (answer.status_code, answer.json()["code"]) == (403, "auth.forbidden")
        assert many.json()["results"][0]["code"] == "auth.forbidden"
