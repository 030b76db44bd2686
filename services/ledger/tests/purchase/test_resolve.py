"""Purchases in review, and what staff decide about them."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from hazina import ids
from hazina.pg import SERVICE, Database
from hazina.standard.clock import MovableClock
from ledger.account import actions as accounts
from ledger.account.rules import Standing, State
from ledger.audit import actions as audit
from ledger.providers import stripe, stripe_twin

from ..people import COINS_500, COINS_3000000, Bearer, Person, ask, held, welcome  # noqa: TID252

pytestmark = pytest.mark.anyio


class Desk:
    """A buyer whose payments need somebody to look, and the staff who do."""

    def __init__(
        self, http: httpx.AsyncClient, clock: MovableClock, bearer: Bearer, buyer: Person
    ) -> None:
        self.http, self.clock, self.bearer, self.buyer = http, clock, bearer, buyer
        self.staff = bearer(ids.new(), platform_role="admin", aal=2)

    async def buys(self, paid: int, currency: str = "USD", package: str = COINS_500) -> str:
        """Start a purchase, hear of its payment, and give its id."""
        body = {"package_id": package, "provider": "stripe", "currency": "USD"}
        made = await ask(self.http, self.bearer(self.buyer.id, aal=2), "/purchases", body)
        id: str = made.json()["id"]
        await self.hears(id, paid, currency)
        return id

    async def hears(self, id: str, paid: int, currency: str = "USD") -> None:
        raw = stripe_twin.succeeded(f"evt_{ids.new()}", UUID(id), paid, currency)
        headers = {
            "Stripe-Signature": stripe.sign(raw, "whsec_development", self.clock()),
            "Content-Type": "application/json",
        }
        answer = await self.http.post("/ledger/v1/webhooks/stripe", content=raw, headers=headers)
        assert answer.status_code == 200, answer.text

    async def resolves(self, id: str, *, confirm: bool, key: str | None = None) -> httpx.Response:
        body = {"confirm": confirm, "reason": "looked at it"}
        return await ask(self.http, self.staff, f"/purchases/{id}/resolve", body, key)

    async def stands(self, db: Database, state: State, version: int) -> None:
        """Let identity say how the buyer stands."""
        async with db.transaction(SERVICE) as tx:
            await accounts.follow(tx, [Standing(self.buyer.id, state, version, self.clock())])


@pytest.fixture
async def desk(http: httpx.AsyncClient, db: Database, clock: MovableClock, bearer: Bearer) -> Desk:
    """Somebody without coins, and the staff."""
    return Desk(http, clock, bearer, await welcome(db))


async def money(db: Database, asset: str = "USD") -> dict[str, int]:
    """Tell where the platform's money lies, by purpose, where there is any."""
    async with db.reading(SERVICE) as tx:
        rows = await tx.execute(
            text("""select purpose, posted from balance join account on id = account_id
                    where asset = :asset and posted <> 0"""),
            {"asset": asset},
        )
        return {row.purpose: row.posted for row in rows}


class TestConfirm:
    @pytest.mark.parametrize(
        ("paid", "lies"),
        [
            (498, {"clearing_stripe": -498, "float": 499, "loss": -1}),
            (600, {"clearing_stripe": -600, "float": 499, "suspense": 101}),
        ],
        ids=["what it lacks is our loss", "what is too much stays visible"],
    )
    async def test_takes_another_amount_for_the_price(
        self, db: Database, desk: Desk, paid: int, lies: dict[str, int]
    ) -> None:
        id = await desk.buys(paid)

        answer = await desk.resolves(id, confirm=True)

        assert (answer.status_code, answer.json()["status"]) == (200, "confirmed"), answer.text
        assert answer.json()["reason"] is None
        assert await held(db, desk.buyer) == 500
        assert await money(db) == lies
        assert (await audit.check(db, full=True)).findings == ()

    async def test_leaves_another_currency_in_suspense(self, db: Database, desk: Desk) -> None:
        id = await desk.buys(499, "EUR")

        await desk.resolves(id, confirm=True)

        assert await held(db, desk.buyer) == 500
        assert await money(db) == {}
        assert await money(db, "EUR") == {"clearing_stripe": -499, "suspense": 499}
        assert (await audit.check(db, full=True)).findings == ()

    async def test_believes_a_large_payment(self, db: Database, desk: Desk) -> None:
        id = await desk.buys(2_500_000, package=COINS_3000000)

        await desk.resolves(id, confirm=True)

        assert await held(db, desk.buyer) == 3_300_000
        assert await money(db) == {"clearing_stripe": -2_500_000, "float": 2_500_000}
        assert (await audit.check(db, full=True)).findings == ()

    async def test_waits_until_the_buyer_may_have_the_coins(self, db: Database, desk: Desk) -> None:
        await desk.stands(db, State.BANNED, 2)
        id = await desk.buys(499)
        kept = await money(db)

        early = await desk.resolves(id, confirm=True)
        await desk.stands(db, State.ACTIVE, 3)
        late = await desk.resolves(id, confirm=True)

        assert kept == {"clearing_stripe": -499, "suspense": 499}
        assert (early.status_code, early.json()["code"]) == (409, "account.frozen")
        assert (late.status_code, late.json()["status"]) == (200, "confirmed")
        assert await held(db, desk.buyer) == 500
        assert await money(db) == {"clearing_stripe": -499, "float": 499}
        assert (await audit.check(db, full=True)).findings == ()

    async def test_gives_the_coins_once_however_many_decide(self, db: Database, desk: Desk) -> None:
        id = await desk.buys(498)

        answers = await asyncio.gather(
            *(desk.resolves(id, confirm=True, key=f"{n % 3}") for n in range(9))
        )

        assert sorted(answer.status_code for answer in answers) == [200] * 3 + [409] * 6
        refused = [answer.json() for answer in answers if answer.status_code == 409]
        assert {one["code"] for one in refused} == {"purchase.wrong_state"}
        assert await held(db, desk.buyer) == 500


class TestDecline:
    async def test_gives_nothing_and_keeps_the_money_visible_for_good(
        self, db: Database, desk: Desk
    ) -> None:
        id = await desk.buys(498)

        answer = await desk.resolves(id, confirm=False)
        await desk.hears(id, 499)
        again = await desk.resolves(id, confirm=True)

        assert (answer.json()["status"], answer.json()["reason"]) == ("failed", "declined")
        assert (again.status_code, again.json()["code"]) == (409, "purchase.wrong_state")
        assert await held(db, desk.buyer) == 0
        assert await money(db) == {"clearing_stripe": -498, "suspense": 498}
        assert (await audit.check(db, full=True)).findings == ()


class TestRefuse:
    async def test_what_is_not_in_review(self, desk: Desk) -> None:
        id = await desk.buys(499)

        answer = await desk.resolves(id, confirm=False)

        assert (answer.status_code, answer.json()["code"]) == (409, "purchase.wrong_state")

    async def test_what_there_is_not(self, desk: Desk) -> None:
        answer = await desk.resolves(str(ids.new()), confirm=True)

        assert (answer.status_code, answer.json()["code"]) == (404, "purchase.unknown")

    @pytest.mark.parametrize(("who", "status"), [({}, 403), ({"platform_role": "admin"}, 401)])
    async def test_all_but_staff_with_a_second_factor(
        self, http: httpx.AsyncClient, bearer: Bearer, who: dict[str, Any], status: int
    ) -> None:
        body = {"confirm": True, "reason": "mine"}

        answer = await ask(http, bearer(ids.new(), **who), f"/purchases/{ids.new()}/resolve", body)

        assert answer.status_code == status
