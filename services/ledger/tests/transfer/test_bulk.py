"""Many transfers in one request, and transactions taken back."""

import asyncio
from typing import Any

import httpx
import pytest

from hazina import ids
from hazina.pg import Database
from ledger.account.rules import of_user
from ledger.audit import actions as audit
from ledger.posting.actions import Book

from ..people import Bearer, Person, ask, grant, welcome  # noqa: TID252

pytestmark = pytest.mark.anyio


@pytest.fixture
async def amina(db: Database, book: Book) -> Person:
    """Somebody with ten cents."""
    person = await welcome(db)
    await grant(db, book, person, 10, "KES")
    return person


@pytest.fixture
async def juma(db: Database) -> Person:
    """Somebody who gets them."""
    return await welcome(db)


@pytest.fixture
def trusted(bearer: Bearer) -> dict[str, str]:
    """The headers of a service that may move any money."""
    return bearer(service="billing", scopes=["ledger:write"])


def item(payer: Person, payee: Person, amount: int, **more: Any) -> dict[str, Any]:
    return {
        "from": {"owner_type": "user", "owner_id": str(payer.id)},
        "to": {"owner_type": "user", "owner_id": str(payee.id)},
        "asset": "KES",
        "amount": amount,
    } | more


async def posted(http: httpx.AsyncClient, headers: dict[str, str], person: Person) -> int:
    path = f"/ledger/v1/accounts/{of_user(person.id, asset='KES').id}"
    found: int = (await http.get(path, headers=headers)).json().get("posted", 0)
    return found


class TestBulk:
    async def test_makes_what_can_be_made_and_says_why_not(
        self, http: httpx.AsyncClient, trusted: dict[str, str], *, amina: Person, juma: Person
    ) -> None:
        items = [
            item(amina, juma, 6),
            item(amina, juma, 5),
            item(amina, juma, 4),
            item(amina, amina, 1),
            item(amina, juma, 1, asset="XAU"),
            item(amina, juma, 1, to=str(ids.new())),
            item(amina, Person(ids.new(), ids.new()), 1),
        ]

        answer = await ask(http, trusted, "/transfers/bulk", {"transfers": items}, key="one")
        again = await ask(http, trusted, "/transfers/bulk", {"transfers": items}, key="one")

        told = answer.json()
        assert (told["posted"], told["refused"]) == (2, 5)
        assert [one.get("code") for one in told["results"]] == [
            None,
            "account.insufficient_funds",
            None,
            "transfer.same_account",
            "transfer.asset_unknown",
            "account.unknown",
            "account.owner_unknown",
        ]
        assert again.json() == told
        assert await posted(http, trusted, juma) == 10

    async def test_all_or_none(
        self,
        http: httpx.AsyncClient,
        db: Database,
        book: Book,
        *,
        trusted: dict[str, str],
        amina: Person,
        juma: Person,
    ) -> None:
        items = [item(amina, juma, 6), item(amina, juma, 5)]
        body = {"atomic": True, "transfers": items}

        refused = await ask(http, trusted, "/transfers/bulk", body, key="one")
        await grant(db, book, amina, 100, "KES")
        same = await ask(http, trusted, "/transfers/bulk", body, key="one")
        before = await posted(http, trusted, juma)
        made = [await ask(http, trusted, "/transfers/bulk", body, key="two") for _ in range(2)]

        for answer in (refused, same):
            assert answer.status_code == 409
            assert answer.json()["code"] == "transfer.batch_refused"
            assert (answer.json()["index"], answer.json()["refused"]) == (
                1,
                "account.insufficient_funds",
            )
        assert before == 0
        assert made[0].json() == made[1].json()
        assert made[0].json()["posted"] == 2
        assert await posted(http, trusted, juma) == 11
        assert (await audit.check(db, full=True)).findings == ()

    async def test_refuses_one_key_for_two_items(
        self, http: httpx.AsyncClient, trusted: dict[str, str], *, amina: Person, juma: Person
    ) -> None:
        items = [item(amina, juma, 1, key="a"), item(amina, juma, 2, key="a")]

        answer = await ask(http, trusted, "/transfers/bulk", {"transfers": items})

        assert (answer.status_code, answer.json()["code"]) == (422, "transfer.duplicate_key")

    async def test_is_not_for_users(
        self, http: httpx.AsyncClient, bearer: Bearer, *, amina: Person, juma: Person
    ) -> None:
        answer = await ask(
            http,
            bearer(amina.id, org_role="viewer"),
            "/transfers/bulk",
            {"transfers": [item(amina, juma, 1)]},
        )

        assert answer.status_code == 403

    async def test_opens_no_account_for_who_may_not_move_it(
        self,
        http: httpx.AsyncClient,
        bearer: Bearer,
        *,
        trusted: dict[str, str],
        amina: Person,
        juma: Person,
    ) -> None:
        theft = item(juma, amina, 1, asset="cUSD")

        await ask(http, bearer(amina.id, amina.org_id), "/transfers/bulk", {"transfers": [theft]})

        path = f"/ledger/v1/accounts/{of_user(juma.id, asset='cUSD').id}"
        assert (await http.get(path, headers=trusted)).status_code == 404

    async def test_two_that_cross_are_both_made(
        self,
        http: httpx.AsyncClient,
        db: Database,
        book: Book,
        *,
        trusted: dict[str, str],
        amina: Person,
        juma: Person,
    ) -> None:
        asha, baraka = await welcome(db), await welcome(db)
        for person in (amina, asha):
            await grant(db, book, person, 10_000, "KES")
        here = [item(amina, juma, 1) for _ in range(1_000)]
        there = [item(asha, baraka, 1) for _ in range(1_000)]

        answers = await asyncio.gather(
            *(
                ask(http, trusted, "/transfers/bulk", {"atomic": True, "transfers": items})
                for items in (here + there, there + here)
            )
        )

        assert [answer.status_code for answer in answers] == [200, 200]
        assert [await posted(http, trusted, person) for person in (juma, baraka)] == [2_000] * 2
        assert (await audit.check(db, full=True)).findings == ()

    async def test_takes_thousands(
        self,
        http: httpx.AsyncClient,
        db: Database,
        book: Book,
        *,
        trusted: dict[str, str],
        amina: Person,
        juma: Person,
    ) -> None:
        await grant(db, book, amina, 10_000, "KES")
        items = [item(amina, juma, 1) for _ in range(2_500)]

        answer = await ask(http, trusted, "/transfers/bulk", {"transfers": items})

        assert answer.json()["posted"] == 2_500
        assert await posted(http, trusted, juma) == 2_500


class TestReverse:
    async def test_takes_back_once_however_many_ask(
        self,
        http: httpx.AsyncClient,
        db: Database,
        *,
        trusted: dict[str, str],
        amina: Person,
        juma: Person,
    ) -> None:
        made = (await ask(http, trusted, "/transfers", item(amina, juma, 7))).json()
        path = f"/transactions/{made['id']}/reverse"

        answers = await asyncio.gather(
            *(ask(http, trusted, path, {"reason": "by mistake"}, key=f"{n % 3}") for n in range(9))
        )
        later = await ask(http, trusted, path, {"reason": "by mistake"}, key="0")

        codes = sorted(answer.status_code for answer in answers)
        assert codes == [201] * 3 + [409] * 6
        back = next(answer.json() for answer in answers if answer.status_code == 201)
        assert (back["kind"], back["reverses"]) == ("reversal", made["id"])
        assert [leg["amount"] for leg in back["legs"]] == [7, -7]
        assert later.status_code in {201, 409}
        assert await posted(http, trusted, amina) == 10
        assert (await audit.check(db, full=True)).findings == ()

    async def test_never_takes_what_is_spent(
        self, http: httpx.AsyncClient, *, trusted: dict[str, str], amina: Person, juma: Person
    ) -> None:
        made = (await ask(http, trusted, "/transfers", item(amina, juma, 7))).json()
        await ask(http, trusted, "/transfers", item(juma, amina, 1))

        answer = await ask(
            http, trusted, f"/transactions/{made['id']}/reverse", {"reason": "by mistake"}
        )

        assert (answer.status_code, answer.json()["code"]) == (409, "account.insufficient_funds")

    @pytest.mark.parametrize(("who", "status"), [({}, 403), ({"platform_role": "admin"}, 401)])
    async def test_is_for_staff_with_a_second_factor(
        self, http: httpx.AsyncClient, bearer: Bearer, who: dict[str, Any], status: int
    ) -> None:
        answer = await ask(
            http, bearer(ids.new(), **who), f"/transactions/{ids.new()}/reverse", {"reason": "no"}
        )

        assert answer.status_code == status

    async def test_leaves_deposits_to_their_own_way(
        self, http: httpx.AsyncClient, bearer: Bearer, *, trusted: dict[str, str], amina: Person
    ) -> None:
        path = f"/ledger/v1/accounts/{of_user(amina.id, asset='KES').id}/entries"
        entries = (await http.get(path, headers=bearer(amina.id))).json()["data"]

        answer = await ask(
            http,
            trusted,
            f"/transactions/{entries[0]['transaction_id']}/reverse",
            {"reason": "no"},
        )

        assert (answer.status_code, answer.json()["code"]) == (409, "transaction.not_reversible")
