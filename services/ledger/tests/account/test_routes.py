"""Accounts over HTTP: each sees their own, as it is and as it was."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from hazina import ids
from hazina.pg import SERVICE, Database
from hazina.standard.clock import MovableClock
from ledger.account import actions
from ledger.account.rules import Standing, State, of_user
from ledger.posting.actions import Book

from ..people import LION, Bearer, Person, ask, grant, welcome  # noqa: TID252

pytestmark = pytest.mark.anyio


@pytest.fixture
async def amina(db: Database, book: Book) -> Person:
    """Somebody whose coins came in five parts of one, two, three, four and five."""
    person = await welcome(db)
    for coins in range(1, 6):
        await grant(db, book, person, coins)
    return person


async def get(http: httpx.AsyncClient, headers: dict[str, str], path: str) -> Any:
    answer = await http.get(f"/ledger/v1{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestGetAccount:
    async def test_shows_what_is_held(
        self, http: httpx.AsyncClient, amina: Person, bearer: Bearer
    ) -> None:
        id = of_user(amina.id).id

        answer = await http.get(f"/ledger/v1/accounts/{id}", headers=bearer(amina.id))

        shown = answer.json()
        assert answer.headers["ETag"] == '"5"'
        assert shown == {
            "id": str(id),
            "owner_type": "user",
            "owner_id": str(amina.id),
            "dao_id": None,
            "asset": "COIN",
            "purpose": "available",
            "posted": 15,
            "held": 0,
            "available": 15,
            "floor": 0,
            "ceiling": 2**53 - 1,
            "frozen": "no",
            "seq": 5,
            "updated_at": shown["updated_at"],
        }

    async def test_is_unknown_to_others_and_known_to_staff(
        self, http: httpx.AsyncClient, amina: Person, bearer: Bearer
    ) -> None:
        path = f"/ledger/v1/accounts/{of_user(amina.id).id}"

        others = [
            await http.get(path, headers=headers)
            for headers in (
                bearer(ids.new()),
                bearer(ids.new(), platform_role="admin", aal=1),
                bearer(ids.new(), platform_role="admin", aal=2),
            )
        ]

        assert [answer.status_code for answer in others] == [404, 404, 200]

    async def test_lists_a_page_at_a_time(
        self, http: httpx.AsyncClient, amina: Person, bearer: Bearer
    ) -> None:
        headers = bearer(amina.id)

        first = await get(http, headers, "/accounts?limit=1")
        second = await get(http, headers, f"/accounts?limit=1&cursor={first['next_cursor']}")

        purposes = {page["data"][0]["purpose"] for page in (first, second)}
        assert purposes == {"available", "earnings"}
        assert second["next_cursor"] is None
        filtered = await get(http, headers, "/accounts?asset=COIN&purpose=earnings")
        assert [one["purpose"] for one in filtered["data"]] == ["earnings"]


class TestGetBalance:
    async def test_shows_what_was_held_at_any_time(
        self, http: httpx.AsyncClient, amina: Person, bearer: Bearer, clock: MovableClock
    ) -> None:
        clock.move(hours=1)
        headers, path = bearer(amina.id), f"/accounts/{of_user(amina.id).id}"
        entries = (await get(http, headers, f"{path}/entries"))["data"]

        for entry in entries:
            at = entry["created_at"].replace("+", "%2B")
            held = await get(http, headers, f"{path}/balance?at={at}")
            assert (held["posted"], held["seq"]) == (entry["balance_after"], entry["seq"])
        before = datetime.fromisoformat(entries[-1]["created_at"]) - timedelta(microseconds=1)
        nothing = await get(
            http, headers, f"{path}/balance?at={before.isoformat().replace('+', '%2B')}"
        )
        assert (nothing["posted"], nothing["seq"]) == (0, 0)

    async def test_does_not_foretell(
        self, http: httpx.AsyncClient, amina: Person, bearer: Bearer, clock: MovableClock
    ) -> None:
        at = (clock() + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")

        answer = await http.get(
            f"/ledger/v1/accounts/{of_user(amina.id).id}/balance?at={at}", headers=bearer(amina.id)
        )

        assert (answer.status_code, answer.json()["code"]) == (422, "balance.future")

    @pytest.mark.parametrize("asked", ["balance?at=", "entries?from=", "entries?to="])
    async def test_refuses_a_time_of_no_zone(
        self, http: httpx.AsyncClient, amina: Person, bearer: Bearer, asked: str
    ) -> None:
        path = f"/ledger/v1/accounts/{of_user(amina.id).id}/{asked}2026-01-02T03:04:05"

        answer = await http.get(path, headers=bearer(amina.id))

        assert (answer.status_code, answer.json()["code"]) == (422, "validation.failed")


class TestListEntries:
    async def test_lists_the_newest_first_between_two_times(
        self, http: httpx.AsyncClient, amina: Person, bearer: Bearer
    ) -> None:
        headers, path = bearer(amina.id), f"/accounts/{of_user(amina.id).id}/entries"

        every = (await get(http, headers, path))["data"]
        times = {entry["seq"]: entry["created_at"].replace("+", "%2B") for entry in every}
        some = (await get(http, headers, f"{path}?from={times[2]}&to={times[5]}&limit=2"))["data"]

        assert [entry["seq"] for entry in every] == [5, 4, 3, 2, 1]
        assert [entry["seq"] for entry in some] == [4, 3]


class TestProfile:
    async def test_shows_coins_earnings_and_totals(
        self, http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer, *, amina: Person
    ) -> None:
        await grant(db, book, amina, 100)
        juma = await welcome(db)
        gift = {"gift_type_id": LION, "recipient_id": str(juma.id)}
        await ask(http, bearer(amina.id), "/gifts", gift)

        hers = await get(http, bearer(amina.id), "/profiles/me")
        his = await get(http, bearer(juma.id), f"/profiles/{juma.id}")

        assert (hers["coin_balance"], hers["total_spent"], hers["total_gifts_sent"]) == (
            15,
            100,
            100,
        )
        assert (his["earnings_balance"], his["total_gifts_received"], his["coin_debt"]) == (
            70,
            100,
            0,
        )
        hidden = await http.get(f"/ledger/v1/profiles/{juma.id}", headers=bearer(amina.id))
        assert (hidden.status_code, hidden.json()["code"]) == (404, "profile.unknown")

    async def test_lists_balances_by_currency(
        self, http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer, *, amina: Person
    ) -> None:
        await grant(db, book, amina, 700, "KES")

        found = (await get(http, bearer(amina.id), "/user-balances"))["data"]

        assert {
            (one["currency"], one["available_balance"], one["total_balance"]) for one in found
        } == {
            ("COIN", 15, 15),
            ("KES", 700, 700),
        }


class TestFollow:
    async def test_freezes_as_the_user_stands_and_heeds_no_old_news(
        self,
        http: httpx.AsyncClient,
        db: Database,
        amina: Person,
        bearer: Bearer,
        clock: MovableClock,
    ) -> None:
        seen = []
        for state, version in (
            (State.SUSPENDED, 5),
            (State.ACTIVE, 4),
            (State.ACTIVE, 6),
            (State.BANNED, 7),
        ):
            async with db.transaction(SERVICE) as tx:
                await actions.follow(tx, [Standing(amina.id, state, version, clock())])
            found = await get(http, bearer(amina.id), f"/accounts/{of_user(amina.id).id}")
            seen.append(found["frozen"])

        assert seen == ["debit", "debit", "no", "all"]

    async def test_gives_nothing_to_whom_is_banned(
        self, http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer, *, amina: Person
    ) -> None:
        juma = await welcome(db)
        await grant(db, book, amina, 500)
        async with db.transaction(SERVICE) as tx:
            await actions.follow(
                tx, [Standing(juma.id, State.BANNED, 2, datetime.now().astimezone())]
            )

        answer = await ask(
            http, bearer(amina.id), "/gifts", {"gift_type_id": LION, "recipient_id": str(juma.id)}
        )

        assert (answer.status_code, answer.json()["code"]) == (409, "gift.recipient_unavailable")
