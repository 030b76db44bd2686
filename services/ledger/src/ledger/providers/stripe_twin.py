"""Stripe's twin: gives out payment intents and signs notifications like the real one.

For development and tests, where no money is real. `app` refuses it in production.
"""

import json
from typing import Any
from uuid import UUID

from hazina import ids
from ledger.providers.notices import Intent, Payment


class StripeTwin:
    """Remembers the intents it gave out, and takes every one of them to be paid in full."""

    def __init__(self) -> None:
        """Begin without any intent."""
        self._intents: dict[str, Payment] = {}

    async def create_intent(self, purchase_id: UUID, amount: int, currency: str) -> Intent:
        """Give the one intent of a purchase."""
        payment_id = f"pi_{purchase_id.hex}"
        self._intents[payment_id] = Payment(payment_id, True, amount, currency)
        secret = ids.derived("stripe_twin", purchase_id).hex
        return Intent(payment_id, f"{payment_id}_secret_{secret}")

    async def find_payment(self, payment_id: str) -> Payment:
        """Tell how a payment stands: paid, if an intent was given out for it."""
        return self._intents.get(payment_id, Payment(payment_id, False, 0, ""))


def event(event_id: str, type: str, **thing: Any) -> bytes:
    """Write a notification as Stripe does: `event("evt_1", "payment_intent.succeeded", id=…)`."""
    body = {
        "id": event_id,
        "object": "event",
        "api_version": "2026-08-27",
        "type": type,
        "livemode": False,
        "data": {"object": thing},
    }
    return json.dumps(body, separators=(",", ":")).encode()


def succeeded(
    event_id: str, purchase_id: UUID, amount: int, currency: str, *, payment_id: str | None = None
) -> bytes:
    """Write the notification that a purchase's payment intent was paid."""
    return event(
        event_id,
        "payment_intent.succeeded",
        id=payment_id or f"pi_{purchase_id.hex}",
        object="payment_intent",
        amount=amount,
        amount_received=amount,
        currency=currency.lower(),
        status="succeeded",
        metadata={"purchase_id": str(purchase_id)},
    )
