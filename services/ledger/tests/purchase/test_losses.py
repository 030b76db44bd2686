"""Refunds, disputes and wins: coins follow the money, spent ones become debt."""

import asyncio
import itertools
import random
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from hazina.pg import SERVICE, Database
from hazina.standard.clock import MovableClock
from ledger.account.rules import Purpose
from ledger.audit import actions as audit
from ledger.providers import stripe, stripe_twin

from ..people import COINS_500, LION, Bearer, Person, ask, held, welcome  # noqa: TID252

pytestmark = pytest.mark.anyio


class Payer:
    """Somebody who bought 500 coins for 499 cents, and what Stripe says of it."""

    def __init__(self, http: httpx.AsyncClient, clock: MovableClock, person: Person) -> None:
        self.http, self.clock, self.person = http, clock, person
        self.purchase_id = ""
        self.payment_id = ""

    async def start(self, headers: dict[str, str]) -> None:
        body = {"package_id": COINS_500, "provider": "stripe", "currency": "USD"}
        made = (await ask(self.http, headers, "/purchases", body)).json()
        self.purchase_id = made["id"]
        self.payment_id = made["checkout"]["payment_intent_id"]

    async def hear(self, raw: bytes) -> dict[str, Any]:
        header = stripe.sign(raw, "whsec_development", self.clock())
        answer = await self.http.post(
            "/ledger/v1/webhooks/stripe",
            content=raw,
            headers={"Stripe-Signature": header, "Content-Type": "application/json"},
        )
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def paid(self, event_id: str = "evt_paid") -> bytes:
        return stripe_twin.succeeded(event_id, UUID(self.purchase_id), 499, "USD")

    def refunded(self, so_far: int, event_id: str | None = None) -> bytes:
        return stripe_twin.event(
            event_id or f"evt_refund_{so_far}",
            "charge.refunded",
            id="ch_1",
            payment_intent=self.payment_id,
            amount=499,
            amount_refunded=so_far,
            currency="usd",
        )

    def disputed(self, amount: int = 499) -> bytes:
        return self._dispute("evt_dispute", "charge.dispute.created", "needs_response", amount)

    def closed(self, outcome: str, amount: int = 499) -> bytes:
        return self._dispute("evt_closed", "charge.dispute.closed", outcome, amount)

    def _dispute(self, event_id: str, type: str, status: str, amount: int) -> bytes:
        return stripe_twin.event(
            event_id,
            type,
            id="dp_1",
            payment_intent=self.payment_id,
            amount=amount,
            currency="usd",
            status=status,
        )


@pytest.fixture
async def payer(
    http: httpx.AsyncClient, db: Database, clock: MovableClock, bearer: Bearer
) -> Payer:
    """Somebody whose purchase waits for the payment."""
    payer = Payer(http, clock, await welcome(db))
    await payer.start(bearer(payer.person.id))
    return payer


async def stands(db: Database, payer: Payer) -> tuple[str, int, int]:
    """Tell the purchase's status, the coins, and the debt."""
    async with db.reading(SERVICE) as tx:
        row = await tx.execute(
            text("""select p.status, v.coin_balance, v.coin_debt from coin_purchases p
                    join profiles v on v.id = p.profile_id where p.id = :id"""),
            {"id": payer.purchase_id},
        )
    status, coins, debt = row.one()
    return status, coins, debt


async def told(db: Database) -> list[str]:
    async with db.reading(SERVICE) as tx:
        rows = await tx.execute(
            text("select type from outbox where type like 'ledger.purchase.%' order by pos")
        )
    return [type.rsplit(".", 1)[1] for type in rows.scalars()]


class TestRefund:
    async def test_takes_the_part_that_was_given_back_and_then_the_rest(
        self, db: Database, payer: Payer
    ) -> None:
        await payer.hear(payer.paid())
        seen: list[tuple[str, int, int]] = []

        for so_far in (100, 100, 499):
            await payer.hear(payer.refunded(so_far, f"evt_{len(seen)}"))
            seen.append(await stands(db, payer))

        assert seen == [("confirmed", 400, 0), ("confirmed", 400, 0), ("refunded", 0, 0)]
        assert await told(db) == ["confirmed", "refunded", "refunded"]
        assert (await audit.check(db, full=True)).findings == ()

    async def test_coins_that_were_spent_become_debt_and_the_next_purchase_repays_it(
        self, http: httpx.AsyncClient, db: Database, payer: Payer, bearer: Bearer
    ) -> None:
        await payer.hear(payer.paid())
        juma = await welcome(db)
        gift = {"gift_type_id": LION, "recipient_id": str(juma.id), "quantity": 3}
        await ask(http, bearer(payer.person.id), "/gifts", gift)

        await payer.hear(payer.refunded(499))
        owing = await stands(db, payer)
        second = Payer(http, payer.clock, payer.person)
        await second.start(bearer(payer.person.id))
        await second.hear(second.paid("evt_second"))

        assert owing == ("refunded", 0, 300)
        assert await stands(db, second) == ("confirmed", 200, 0)
        assert await held(db, juma, Purpose.EARNINGS) == 210
        assert (await audit.check(db, full=True)).findings == ()

    async def test_three_at_once_take_once(self, db: Database, payer: Payer) -> None:
        await payer.hear(payer.paid())

        await asyncio.gather(*(payer.hear(payer.refunded(499, f"evt_{n % 2}")) for n in range(6)))

        assert await stands(db, payer) == ("refunded", 0, 0)
        assert await told(db) == ["confirmed", "refunded"]

    @pytest.mark.parametrize(
        ("said", "instead"),
        [(b'"payment_intent":"pi_', b'"payment_intent":"pi_again_'), (b'"usd"', b'"eur"')],
        ids=["of a second payment of the same purchase", "in another currency"],
    )
    async def test_of_other_money_than_was_paid_takes_no_coins(
        self, db: Database, payer: Payer, said: bytes, instead: bytes
    ) -> None:
        await payer.hear(payer.paid())
        raw = payer.refunded(499).replace(said, instead)
        raw = raw.replace(
            b'"amount"', b'"metadata":{"purchase_id":"%b"},"amount"' % payer.purchase_id.encode()
        )

        await payer.hear(raw)

        assert await stands(db, payer) == ("confirmed", 500, 0)

    async def test_before_its_payment_waits_for_it(self, db: Database, payer: Payer) -> None:
        await payer.hear(payer.refunded(100))
        early = await stands(db, payer)

        await payer.hear(payer.paid())

        assert early == ("pending", 0, 0)
        assert await stands(db, payer) == ("confirmed", 400, 0)
        assert (await audit.check(db, full=True)).findings == ()


class TestDispute:
    async def test_won_gives_everything_back(
        self, http: httpx.AsyncClient, db: Database, payer: Payer, bearer: Bearer
    ) -> None:
        await payer.hear(payer.paid())
        juma = await welcome(db)
        gift = {"gift_type_id": LION, "recipient_id": str(juma.id)}
        await ask(http, bearer(payer.person.id), "/gifts", gift)
        seen = []

        for raw in (payer.disputed(), payer.closed("won")):
            await payer.hear(raw)
            seen.append(await stands(db, payer))

        assert seen == [("chargeback", 0, 100), ("confirmed", 400, 0)]
        assert await told(db) == ["confirmed", "charged_back", "reinstated"]
        assert (await audit.check(db, full=True)).findings == ()

    async def test_a_second_smaller_one_gives_nothing_back(
        self, db: Database, payer: Payer
    ) -> None:
        again = payer.disputed(100).replace(b"dp_1", b"dp_2").replace(b"evt_dispute", b"evt_2")

        for raw in (payer.paid(), payer.disputed(400), again):
            await payer.hear(raw)

        status, coins, _ = await stands(db, payer)
        assert (status, coins <= 100) == ("chargeback", True)

    async def test_lost_changes_nothing_more(self, db: Database, payer: Payer) -> None:
        for raw in (payer.paid(), payer.disputed(), payer.closed("lost")):
            await payer.hear(raw)

        assert await stands(db, payer) == ("chargeback", 0, 0)

    async def test_an_inquiry_moves_nothing(self, db: Database, payer: Payer) -> None:
        await payer.hear(payer.paid())
        raw = payer.disputed().replace(b"needs_response", b"warning_needs_response")

        await payer.hear(raw)

        assert await stands(db, payer) == ("confirmed", 500, 0)

    async def test_after_a_full_refund_takes_nothing_twice(
        self, db: Database, payer: Payer
    ) -> None:
        for raw in (payer.paid(), payer.refunded(499), payer.disputed(), payer.closed("won")):
            await payer.hear(raw)

        assert await stands(db, payer) == ("refunded", 0, 0)
        assert (await audit.check(db, full=True)).findings == ()


ORDERS = random.Random(3).sample(list(itertools.permutations(range(5))), 12)


@pytest.mark.parametrize("order", ORDERS)
async def test_no_order_of_the_same_webhooks_changes_what_is_left(
    db: Database, payer: Payer, order: tuple[int, ...]
) -> None:
    webhooks = [
        payer.paid(),
        payer.refunded(100),
        payer.refunded(200),
        payer.disputed(299),
        payer.closed("won", 299),
    ]

    for index in order:
        await payer.hear(webhooks[index])
    for raw in webhooks:
        assert (await payer.hear(raw))["duplicate"]

    assert await stands(db, payer) == ("confirmed", 300, 0)
    assert (await audit.check(db, full=True)).findings == ()
