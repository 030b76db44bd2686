"""Purchases over HTTP: Stripe's webhooks as Stripe sends them, and worse."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from hazina import ids
from hazina.chassis import Service
from hazina.pg import SERVICE, Database
from hazina.standard.clock import MovableClock
from ledger.providers import stripe, stripe_twin
from ledger.providers.rails import Rails
from ledger.purchase import actions, jobs

from ..people import COINS_500, COINS_3000000, Bearer, Person, ask, held, welcome  # noqa: TID252

pytestmark = pytest.mark.anyio

SECRET = "whsec_development"
Deliver = Callable[..., Any]


@pytest.fixture
def deliver(http: httpx.AsyncClient, clock: MovableClock) -> Deliver:
    """Sends a notification as Stripe does, signed at the clock's time unless said."""

    async def send(raw: bytes, *, secret: str = SECRET, late_s: int = 0) -> httpx.Response:
        at = clock() - timedelta(seconds=late_s)
        headers = {
            "Stripe-Signature": stripe.sign(raw, secret, at),
            "Content-Type": "application/json; charset=utf-8",
        }
        return await http.post("/ledger/v1/webhooks/stripe", content=raw, headers=headers)

    return send


async def start(
    http: httpx.AsyncClient,
    headers: dict[str, str],
    package: str = COINS_500,
    key: str | None = None,
) -> dict[str, Any]:
    body = {"package_id": package, "provider": "stripe", "currency": "USD"}
    answer = await ask(http, headers, "/purchases", body, key=key)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def counts(db: Database) -> dict[str, int]:
    """Count what a purchase leaves behind."""
    async with db.reading(SERVICE) as tx:
        rows = await tx.execute(
            text("""select (select count(*) from transaction) as transactions,
                           (select count(*) from entry) as entries,
                           (select count(*) from provider_events) as events,
                           (select count(*) from outbox where type = 'ledger.purchase.confirmed')
                               as told""")
        )
    return dict(rows.one()._asdict())


async def event_status(db: Database, event_id: str) -> str:
    async with db.reading(SERVICE) as tx:
        found = await tx.execute(
            text("select status from provider_events where event_id = :id"), {"id": event_id}
        )
    status: str = found.scalar_one()
    return status


@pytest.fixture
async def amina(db: Database) -> Person:
    """Somebody without coins."""
    return await welcome(db)


class TestPostPurchase:
    async def test_waits_for_the_payment(
        self, http: httpx.AsyncClient, amina: Person, bearer: Bearer
    ) -> None:
        made = await start(http, bearer(amina.id))

        assert (made["status"], made["coin_amount"], made["amount"]) == ("pending", 500, 499)
        assert made["checkout"]["payment_intent_id"].startswith("pi_")
        assert made["checkout"]["client_secret"].startswith(made["checkout"]["payment_intent_id"])

    async def test_asked_twice_is_one_purchase(
        self, http: httpx.AsyncClient, amina: Person, bearer: Bearer
    ) -> None:
        first, again = await asyncio.gather(
            *(start(http, bearer(amina.id), key="one") for _ in range(2))
        )

        assert first == again

    @pytest.mark.parametrize(
        ("package", "currency", "status", "code"),
        [
            (str(UUID(int=1)), "USD", 404, "purchase.package_unknown"),
            (COINS_500, "XAU", 422, "purchase.no_price"),
            (COINS_3000000, "USD", 401, "auth.step_up_required"),
        ],
    )
    async def test_refuses(
        self,
        http: httpx.AsyncClient,
        amina: Person,
        bearer: Bearer,
        *,
        package: str,
        currency: str,
        status: int,
        code: str,
    ) -> None:
        body = {"package_id": package, "provider": "stripe", "currency": currency}

        answer = await ask(http, bearer(amina.id), "/purchases", body)

        assert (answer.status_code, answer.json()["code"]) == (status, code)

    async def test_is_not_seen_by_others(
        self, http: httpx.AsyncClient, amina: Person, bearer: Bearer
    ) -> None:
        made = await start(http, bearer(amina.id))
        path = f"/ledger/v1/purchases/{made['id']}"

        own = await http.get(path, headers=bearer(amina.id))
        other = await http.get(path, headers=bearer(ids.new()))

        assert (own.status_code, other.status_code) == (200, 404)


class TestPostStripeWebhook:
    async def test_three_at_once_give_the_coins_once(
        self,
        http: httpx.AsyncClient,
        db: Database,
        amina: Person,
        *,
        bearer: Bearer,
        deliver: Deliver,
    ) -> None:
        made = await start(http, bearer(amina.id))
        raw = stripe_twin.succeeded("evt_1", UUID(made["id"]), 499, "USD")

        answers = await asyncio.gather(*(deliver(raw) for _ in range(3)))
        late = await deliver(raw)

        assert [answer.status_code for answer in [*answers, late]] == [200] * 4
        assert sorted(answer.json()["duplicate"] for answer in answers) == [False, True, True]
        assert late.json() == {"received": True, "duplicate": True}
        assert await held(db, amina) == 500
        assert await counts(db) == {"transactions": 1, "entries": 4, "events": 1, "told": 1}
        seen = await http.get(f"/ledger/v1/purchases/{made['id']}", headers=bearer(amina.id))
        assert (seen.json()["status"], seen.json()["checkout"]) == ("confirmed", None)

    async def test_other_events_about_one_payment_count_it_once(
        self,
        http: httpx.AsyncClient,
        db: Database,
        amina: Person,
        *,
        bearer: Bearer,
        deliver: Deliver,
    ) -> None:
        made = await start(http, bearer(amina.id))

        answers = await asyncio.gather(
            *(
                deliver(stripe_twin.succeeded(f"evt_{n}", UUID(made["id"]), 499, "USD"))
                for n in range(8)
            )
        )

        assert {answer.status_code for answer in answers} == {200}
        assert await held(db, amina) == 500
        assert (await counts(db))["transactions"] == 1

    async def test_a_late_payment_wins_over_a_cancellation(
        self,
        http: httpx.AsyncClient,
        db: Database,
        amina: Person,
        *,
        bearer: Bearer,
        deliver: Deliver,
    ) -> None:
        made = await start(http, bearer(amina.id))
        paid = stripe_twin.succeeded("evt_2", UUID(made["id"]), 499, "USD")
        canceled = stripe_twin.event(
            "evt_1",
            "payment_intent.canceled",
            id=made["checkout"]["payment_intent_id"],
            metadata={"purchase_id": made["id"]},
        )

        await deliver(canceled)
        await deliver(paid)
        await deliver(canceled.replace(b"evt_1", b"evt_3"))

        seen = await http.get(f"/ledger/v1/purchases/{made['id']}", headers=bearer(amina.id))
        assert seen.json()["status"] == "confirmed"
        assert await held(db, amina) == 500

    async def test_another_amount_is_reviewed_and_kept_in_suspense(
        self,
        http: httpx.AsyncClient,
        db: Database,
        amina: Person,
        *,
        bearer: Bearer,
        deliver: Deliver,
    ) -> None:
        made = await start(http, bearer(amina.id))

        await deliver(stripe_twin.succeeded("evt_1", UUID(made["id"]), 498, "USD"))

        seen = await http.get(f"/ledger/v1/purchases/{made['id']}", headers=bearer(amina.id))
        assert (seen.json()["status"], seen.json()["reason"]) == ("review", "amount_mismatch")
        assert await held(db, amina) == 0
        async with db.reading(SERVICE) as tx:
            kept = await tx.execute(
                text("""select purpose, posted from balance join account on id = account_id
                        where asset = 'USD' order by purpose""")
            )
            assert [tuple(row) for row in kept] == [("clearing_stripe", -498), ("suspense", 498)]

    async def test_a_large_payment_is_looked_at_a_second_time(
        self,
        http: httpx.AsyncClient,
        db: Database,
        amina: Person,
        *,
        bearer: Bearer,
        deliver: Deliver,
        service: Service,
        clock: MovableClock,
    ) -> None:
        headers = bearer(amina.id, aal=2)
        made = await start(http, headers, COINS_3000000)

        await asyncio.gather(
            *(
                deliver(stripe_twin.succeeded(f"evt_{n}", UUID(made["id"]), 2_500_000, "USD"))
                for n in range(5)
            )
        )
        before = await held(db, amina)
        rails: Rails = service.state["rails"]
        looks = [await jobs.look(rails)(db, clock()) for _ in range(2)]

        assert (before, looks, await held(db, amina)) == (0, [1, 0], 3_300_000)

    async def test_what_is_not_ours_is_taken_and_ignored(
        self, db: Database, deliver: Deliver
    ) -> None:
        answer = await deliver(stripe_twin.succeeded("evt_1", ids.new(), 499, "USD"))

        assert (answer.status_code, answer.json()["duplicate"]) == (200, False)
        assert await event_status(db, "evt_1") == "ignored"

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"secret": "whsec_other"}, "webhook.signature_invalid"),
            ({"late_s": 301}, "webhook.timestamp_out_of_tolerance"),
            ({"late_s": -301}, "webhook.timestamp_out_of_tolerance"),
        ],
    )
    async def test_moves_no_money_for_what_it_does_not_believe(
        self,
        http: httpx.AsyncClient,
        db: Database,
        amina: Person,
        *,
        bearer: Bearer,
        deliver: Deliver,
        change: dict[str, Any],
        code: str,
    ) -> None:
        made = await start(http, bearer(amina.id))
        raw = stripe_twin.succeeded("evt_1", UUID(made["id"]), 499, "USD")

        answer = await deliver(raw, **change)

        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert await counts(db) == {"transactions": 0, "entries": 0, "events": 0, "told": 0}

    async def test_expires_what_nobody_paid(
        self,
        http: httpx.AsyncClient,
        db: Database,
        amina: Person,
        *,
        bearer: Bearer,
        clock: MovableClock,
    ) -> None:
        made = await start(http, bearer(amina.id))

        early = await actions.expire(db, clock.move(hours=23))
        due = await actions.expire(db, clock.move(hours=1))

        seen = await http.get(f"/ledger/v1/purchases/{made['id']}", headers=bearer(amina.id))
        assert (early, due, seen.json()["status"]) == (0, 1, "expired")
