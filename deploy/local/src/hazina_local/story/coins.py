"""How coins are bought and given."""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from typing import Any

from hazina_local.story.world import Json, Person, World, expect

COINS = 500
SIGNATURE_SCHEME = "v1"


async def start_purchase(world: World, person: Person, *, coins: int = COINS) -> Json:
    """Choose a package of this many coins and begin to pay for it with Stripe."""
    packages = await world.get("/ledger/v1/packages", person)
    fit = [
        package
        for package in packages["data"]
        if package["coin_amount"] + package["bonus_coins"] == coins and "USD" in package["prices"]
    ]
    expect(bool(fit), f"there is a package of {coins} coins", packages)
    return await world.post(
        "/ledger/v1/purchases",
        {"package_id": fit[0]["id"], "provider": "stripe", "currency": "USD"},
        person,
    )


def payment_succeeded(purchase: Json) -> bytes:
    """What Stripe says when a purchase was paid, as the bytes that it would send."""
    intent = {
        "id": purchase["checkout"]["payment_intent_id"],
        "object": "payment_intent",
        "amount": purchase["amount"],
        "amount_received": purchase["amount"],
        "currency": purchase["currency"].lower(),
        "status": "succeeded",
        "livemode": False,
        "metadata": {"purchase_id": purchase["id"]},
    }
    event = {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "api_version": "2026-03-25",
        "created": int(time.time()),
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "payment_intent.succeeded",
        "data": {"object": intent},
    }
    return json.dumps(event, indent=2).encode()


def sign(body: bytes, secret: str, *, at: int) -> str:
    """Sign a webhook as Stripe does: https://docs.stripe.com/webhooks#verify-manually."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},{SIGNATURE_SCHEME}={signed}"


async def deliver(world: World, body: bytes, *, secret: str | None = None) -> tuple[int, Any]:
    """Deliver a webhook once, signed now; with what status and body it was answered."""
    header = sign(body, secret or world.stripe_secret, at=int(time.time()))
    answer = await world.http.post(
        "/ledger/v1/webhooks/stripe",
        content=body,
        headers={"Stripe-Signature": header, "Content-Type": "application/json"},
    )
    return answer.status_code, answer.json()


async def deliver_three_times(world: World, body: bytes) -> list[Any]:
    """Deliver the same webhook twice at once, and a third time after that."""
    answers = list(await asyncio.gather(deliver(world, body), deliver(world, body)))
    answers.append(await deliver(world, body))
    expect(all(status == 200 for status, _ in answers), "every delivery is accepted", answers)  # noqa: PLR2004
    fresh = [answer for _, answer in answers if not answer["duplicate"]]
    expect(len(fresh) == 1, "exactly one delivery is the first", answers)
    return [answer for _, answer in answers]


async def balances(world: World, person: Person) -> Json:
    """What a person holds: `coin_balance` to spend, `earnings_balance` to be paid out."""
    return await world.get("/ledger/v1/profiles/me", person)


async def give(
    world: World,
    sender: Person,
    recipient: Person,
    *,
    stream_id: str,
    box_id: str,
    coins: int = 100,
    trace_id: str | None = None,
    key: str | None = None,
) -> Json:
    """Send a gift that costs this many coins, to somebody who is live."""
    types = await world.get("/ledger/v1/gift-types", sender)
    fit = [kind for kind in types["data"] if coins % kind["coin_cost"] == 0]
    expect(bool(fit), f"there is a gift for {coins} coins", types)
    kind = max(fit, key=lambda kind: int(kind["coin_cost"]))
    return await world.post(
        "/ledger/v1/gifts",
        {
            "gift_type_id": kind["id"],
            "recipient_id": recipient.user_id,
            "quantity": coins // kind["coin_cost"],
            "stream_id": stream_id,
            "box_id": box_id,
            "combo_id": None,
        },
        sender,
        trace_id=trace_id,
        key=key,
    )
