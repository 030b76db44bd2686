"""Gifts taken back, whole, whatever became of their coins."""

import asyncio
from typing import Any

import httpx
import pytest

from hazina import ids
from hazina.pg import Database
from ledger.account.rules import Purpose, of_platform, of_user
from ledger.audit import actions as audit
from ledger.posting.actions import Book
from ledger.posting.rules import Posting, What, legs, of_our_own

from ..people import LION, Bearer, Person, ask, grant, held, welcome  # noqa: TID252

pytestmark = pytest.mark.anyio


@pytest.fixture
def staff(bearer: Bearer) -> dict[str, str]:
    """The headers of an admin who gave a second factor."""
    return bearer(ids.new(), platform_role="admin", aal=2)


@pytest.fixture
async def given(
    http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer
) -> tuple[Person, Person, dict[str, Any]]:
    """A gift of a hundred coins, its sender and its recipient."""
    amina, juma = await welcome(db), await welcome(db)
    await grant(db, book, amina, 100)
    body = {"gift_type_id": LION, "recipient_id": str(juma.id)}
    return amina, juma, (await ask(http, bearer(amina.id), "/gifts", body)).json()


async def spend_earnings(book: Book, person: Person, coins: int) -> None:
    moves = ((of_user(person.id, Purpose.EARNINGS), -coins), (of_platform(Purpose.REVENUE), coins))
    await book.post(Posting(ids.new(), of_our_own("pay", person.id), What.PAYOUT, legs(moves)))


class TestReverse:
    async def test_gives_every_coin_back_once(
        self, http: httpx.AsyncClient, db: Database, staff: dict[str, str], *, given: Any
    ) -> None:
        amina, juma, gift = given
        path = f"/gifts/{gift['id']}/reverse"

        answers = await asyncio.gather(
            *(ask(http, staff, path, {"reason": "by mistake"}, key=f"{n % 2}") for n in range(6))
        )

        assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 3
        assert {a.json()["code"] for a in answers if a.status_code == 409} == {
            "gift.already_reversed"
        }
        assert (await held(db, amina), await held(db, juma, Purpose.EARNINGS)) == (100, 0)
        assert (await audit.check(db, full=True)).findings == ()

    async def test_takes_no_earnings_that_are_gone_unless_the_platform_bears_it(
        self,
        http: httpx.AsyncClient,
        db: Database,
        book: Book,
        *,
        staff: dict[str, str],
        given: Any,
    ) -> None:
        amina, juma, gift = given
        await spend_earnings(book, juma, 50)
        path = f"/gifts/{gift['id']}/reverse"

        refused = await ask(http, staff, path, {"reason": "fraud"})
        made = await ask(http, staff, path, {"reason": "fraud", "absorb": True})

        assert (refused.status_code, refused.json()["code"]) == (409, "gift.earnings_spent")
        assert (refused.json()["available"], refused.json()["needed"]) == (20, 70)
        assert (made.status_code, made.json()["absorbed"]) == (201, 50)
        assert (await held(db, amina), await held(db, juma, Purpose.EARNINGS)) == (100, 0)
        assert (await audit.check(db, full=True)).findings == ()

    async def test_is_for_staff(
        self, http: httpx.AsyncClient, bearer: Bearer, *, given: Any
    ) -> None:
        amina, _, gift = given

        answer = await ask(
            http, bearer(amina.id), f"/gifts/{gift['id']}/reverse", {"reason": "mine"}
        )

        assert answer.status_code == 403
