"""Gifts over HTTP, on a real book."""

import asyncio

import httpx
import pytest
from sqlalchemy import text

from hazina import ids
from hazina.pg import SERVICE, Database
from ledger.account.rules import Purpose
from ledger.posting.actions import Book

from ..people import LION, ROSE, Bearer, ask, grant, held, welcome  # noqa: TID252

pytestmark = pytest.mark.anyio


class TestPostGift:
    async def test_splits_the_coins_and_says_so(
        self, http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer
    ) -> None:
        amina, juma = await welcome(db), await welcome(db)
        await grant(db, book, amina, 500)
        stream, box = ids.new(), ids.new()

        answer = await ask(
            http,
            bearer(amina.id),
            "/gifts",
            {
                "gift_type_id": LION,
                "recipient_id": str(juma.id),
                "stream_id": str(stream),
                "box_id": str(box),
            },
        )

        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert made == {
            "id": made["id"],
            "sender_id": str(amina.id),
            "recipient_id": str(juma.id),
            "gift_type_id": LION,
            "gift_type": "lion",
            "quantity": 1,
            "coin_amount": 100,
            "streamer_revenue": 70,
            "platform_revenue": 30,
            "stream_id": str(stream),
            "box_id": str(box),
            "combo_id": None,
            "coin_balance": 400,
            "transaction_id": made["id"],
            "created_at": made["created_at"],
        }
        assert (await held(db, amina), await held(db, juma, Purpose.EARNINGS)) == (400, 70)
        async with db.reading(SERVICE) as tx:
            told = await tx.execute(text("select type, key from outbox where type like '%gift%'"))
            assert [tuple(row) for row in told] == [("ledger.gift.sent", str(juma.id))]
            totals = await tx.execute(
                text(
                    "select total_gifts_sent, total_spent from profile_totals where user_id = :id"
                ),
                {"id": amina.id},
            )
            assert tuple(totals.one()) == (100, 100)

    async def test_asked_by_a_crowd_with_one_key_gives_once(
        self, http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer
    ) -> None:
        amina, juma = await welcome(db), await welcome(db)
        await grant(db, book, amina, 500)
        body = {"gift_type_id": LION, "recipient_id": str(juma.id)}

        answers = await asyncio.gather(
            *(ask(http, bearer(amina.id), "/gifts", body, key="one") for _ in range(20))
        )

        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.text for answer in answers}) == 1
        assert await held(db, amina) == 400
        replayed = [a for a in answers if "Idempotency-Replayed" in a.headers]
        assert len(replayed) == 19

    async def test_replays_the_first_answer_when_the_coins_are_gone(
        self, http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer
    ) -> None:
        amina, juma = await welcome(db), await welcome(db)
        await grant(db, book, amina, 100)
        body = {"gift_type_id": LION, "recipient_id": str(juma.id)}
        first = await ask(http, bearer(amina.id), "/gifts", body, key="one")
        async with db.transaction(SERVICE) as tx:
            await tx.execute(text("update gift_types set is_active = false, coin_cost = 1"))

        again = await ask(http, bearer(amina.id), "/gifts", body, key="one")

        assert (again.status_code, again.text) == (201, first.text)
        assert again.headers["Idempotency-Replayed"] == "true"

    async def test_refuses_a_key_that_asked_for_something_else(
        self, http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer
    ) -> None:
        amina, juma = await welcome(db), await welcome(db)
        await grant(db, book, amina, 500)
        body = {"gift_type_id": LION, "recipient_id": str(juma.id)}
        await ask(http, bearer(amina.id), "/gifts", body, key="one")

        answer = await ask(http, bearer(amina.id), "/gifts", body | {"quantity": 2}, key="one")

        assert answer.status_code == 422
        assert (answer.json()["code"], answer.json()["field"]) == (
            "idempotency.key_reused",
            "/quantity",
        )

    async def test_never_overdraws_under_a_crowd(
        self, http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer
    ) -> None:
        amina, juma = await welcome(db), await welcome(db)
        await grant(db, book, amina, 20)
        body = {"gift_type_id": ROSE, "recipient_id": str(juma.id)}

        answers = await asyncio.gather(
            *(ask(http, bearer(amina.id), "/gifts", body) for _ in range(64))
        )

        codes = sorted(answer.status_code for answer in answers)
        assert codes == [201] * 20 + [409] * 44
        assert (await held(db, amina), await held(db, juma, Purpose.EARNINGS)) == (0, 20)

    async def test_keeps_a_refusal_for_ever(
        self, http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer
    ) -> None:
        amina, juma = await welcome(db), await welcome(db)
        body = {"gift_type_id": LION, "recipient_id": str(juma.id)}
        first = await ask(http, bearer(amina.id), "/gifts", body, key="one")
        await grant(db, book, amina, 500)

        again = await ask(http, bearer(amina.id), "/gifts", body, key="one")

        assert [first.status_code, again.status_code] == [409, 409]
        assert again.json()["code"] == "account.insufficient_funds"
        assert (again.json()["available"], again.json()["needed"]) == (0, 100)

    async def test_burns_no_key_when_the_request_made_no_sense(
        self, http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer
    ) -> None:
        amina = await welcome(db)
        await grant(db, book, amina, 500)
        body = {"gift_type_id": LION, "recipient_id": str(ids.new())}

        refused = await ask(http, bearer(amina.id), "/gifts", body, key="one")
        async with db.reading(SERVICE) as tx:
            keys = (
                await tx.execute(text("select count(*) from idempotency where problem is not null"))
            ).scalar()

        assert (refused.status_code, refused.json()["code"]) == (404, "gift.recipient_unknown")
        assert keys == 0

    async def test_tells_each_gift_of_a_batch_in_its_own_trace(
        self, http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer
    ) -> None:
        amina, juma = await welcome(db), await welcome(db)
        await grant(db, book, amina, 500)
        body = {"gift_type_id": ROSE, "recipient_id": str(juma.id)}
        traces = [f"{n:032x}" for n in range(1, 9)]

        await asyncio.gather(
            *(
                ask(http, bearer(amina.id) | {"traceparent": f"00-{t}-{1:016x}-01"}, "/gifts", body)
                for t in traces
            )
        )

        async with db.reading(SERVICE) as tx:
            told = await tx.execute(
                text("select headers, xid from outbox where type = 'ledger.gift.sent'")
            )
            rows = told.all()
        batches = {row.xid for row in rows}
        assert sorted(row.headers["traceparent"].split("-")[1] for row in rows) == traces
        assert len(batches) < len(traces), "some gifts shared a batch"

    async def test_needs_a_key(self, http: httpx.AsyncClient, db: Database, bearer: Bearer) -> None:
        answer = await http.post("/ledger/v1/gifts", json={}, headers=bearer(ids.new()))

        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency.key_missing")
