"""The parts of the story that are ours to get right: signing, waiting, refusing to be wrong."""

import json
from collections.abc import Callable

import httpx
import pytest
import stripe

from hazina_local.story import coins
from hazina_local.story.play import tell
from hazina_local.story.world import World, Wrong, eventually, expect

pytestmark = pytest.mark.anyio

SECRET = "whsec_0123456789abcdef"
PURCHASE = {
    "id": "0193a0c4-0000-7000-8000-000000000001",
    "amount": 499,
    "currency": "USD",
    "checkout": {"payment_intent_id": "pi_123", "client_secret": "pi_123_secret"},
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class TestSign:
    def test_is_what_stripe_accepts(self) -> None:
        body = coins.payment_succeeded(PURCHASE)
        header = coins.sign(body, SECRET, at=int(json.loads(body)["created"]))

        event = stripe.Webhook.construct_event(body.decode(), header, SECRET)

        assert event.type == "payment_intent.succeeded"
        assert event.data.object["metadata"]["purchase_id"] == PURCHASE["id"]
        assert event.data.object["amount_received"] == 499

    def test_is_refused_by_stripe_under_another_secret_or_body(self) -> None:
        body = coins.payment_succeeded(PURCHASE)
        header = coins.sign(body, SECRET, at=int(json.loads(body)["created"]))

        for other in ((body.decode(), "whsec_other"), (body.decode() + " ", SECRET)):
            with pytest.raises(stripe.SignatureVerificationError):
                stripe.Webhook.construct_event(other[0], header, other[1])


def world(answer: Callable[[httpx.Request], httpx.Response]) -> World:
    """A house that answers every request with this function."""
    transport = httpx.MockTransport(answer)
    client = httpx.AsyncClient(transport=transport, base_url="http://house")
    return World("http://house", SECRET, client)


class TestDeliverThreeTimes:
    @pytest.mark.parametrize("fresh", [0, 2, 3])
    async def test_stops_the_story_unless_one_delivery_counted(self, fresh: int) -> None:
        counted = iter([False] * fresh + [True] * 3)
        house = world(lambda _: httpx.Response(200, json={"duplicate": next(counted)}))

        with pytest.raises(Wrong, match="exactly one delivery is the first"):
            await coins.deliver_three_times(house, b"{}")

    async def test_is_content_with_one(self) -> None:
        seen: list[str] = []

        def take(request: httpx.Request) -> httpx.Response:
            stripe.WebhookSignature.verify_header(
                request.content.decode(), request.headers["Stripe-Signature"], SECRET
            )
            seen.append(request.url.path)
            return httpx.Response(200, json={"duplicate": len(seen) > 1})

        await coins.deliver_three_times(world(take), coins.payment_succeeded(PURCHASE))

        assert seen == ["/ledger/v1/webhooks/stripe"] * 3


class TestTell:
    async def test_stops_at_the_first_sentence_that_is_not_true(self) -> None:
        house = world(lambda _: httpx.Response(500, text="oops"))
        told = []

        async def balanced() -> tuple[bool, str]:
            return True, ""

        with pytest.raises(
            Wrong, match=r"POST /identity/v1/auth/signup answered 500 instead of 202: oops"
        ):
            async for sentence in tell(house, balanced):
                told.append(sentence)  # noqa: PERF401 - what came before the end counts

        assert told == []


class TestEventually:
    async def test_waits_until_it_is_right(self) -> None:
        seen = iter(range(10))

        async def read() -> int:
            return next(seen)

        assert await eventually("three", read, lambda found: found == 3) == 3

    async def test_says_what_there_was_instead(self) -> None:
        async def read() -> dict[str, int]:
            return {"coins": 400}

        with pytest.raises(Wrong, match=r'her coins: after 0.1 s there is only {"coins": 400}'):
            await eventually("her coins", read, lambda found: found["coins"] == 500, within_s=0.1)


class TestExpect:
    def test_stops_the_story(self) -> None:
        with pytest.raises(Wrong, match=r'Amina paid once: found {"coin_balance": 300}'):
            expect(False, "Amina paid once", {"coin_balance": 300})
