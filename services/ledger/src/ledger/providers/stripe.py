"""Stripe: payment intents, and the notifications that Stripe signs.

Signatures: https://docs.stripe.com/webhooks#verify-manually
"""

import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol
from uuid import UUID

import httpx
import msgspec

from hazina.problems import Unavailable
from ledger.providers.notices import (
    Fact,
    Intent,
    Notice,
    Payment,
    SignatureInvalid,
    TimestampOutOfTolerance,
    WebhookMalformed,
)

NAME = "stripe"
TOLERANCE_S = 300
TIMEOUT_S = 10

FACTS = {
    "payment_intent.succeeded": Fact.PAID,
    "payment_intent.canceled": Fact.FAILED,
    "charge.refunded": Fact.REFUNDED,
    "charge.dispute.created": Fact.DISPUTED,
    "charge.dispute.closed": Fact.DISPUTE_CLOSED,
}


class Stripe(Protocol):
    """What we ask of Stripe."""

    async def create_intent(self, purchase_id: UUID, amount: int, currency: str) -> Intent:
        """Have Stripe wait for a payment; the same one for the same purchase. Or `Unavailable`."""

    async def find_payment(self, payment_id: str) -> Payment:
        """Ask Stripe how a payment stands. Or `Unavailable`."""


class StripeApi:
    """The real one, over HTTPS."""

    def __init__(
        self, url: str, api_key: str, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Take where Stripe is and our secret key; nothing is connected yet."""
        self._http = httpx.AsyncClient(
            base_url=url, auth=(api_key, ""), timeout=TIMEOUT_S, transport=transport
        )

    async def create_intent(self, purchase_id: UUID, amount: int, currency: str) -> Intent:
        """Create a payment intent, with the purchase's id as Stripe's idempotency key."""
        answer = await self._ask(
            "POST",
            "/v1/payment_intents",
            headers={"Idempotency-Key": str(purchase_id)},
            data={
                "amount": str(amount),
                "currency": currency.lower(),
                "automatic_payment_methods[enabled]": "true",
                "metadata[purchase_id]": str(purchase_id),
            },
        )
        return Intent(answer["id"], answer["client_secret"])

    async def find_payment(self, payment_id: str) -> Payment:
        """Retrieve a payment intent."""
        answer = await self._ask("GET", f"/v1/payment_intents/{payment_id}")
        return Payment(
            payment_id,
            paid=answer["status"] == "succeeded",
            amount=answer["amount_received"],
            currency=answer["currency"].upper(),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            answer = (await self._http.request(method, path, **request)).raise_for_status()
        except httpx.HTTPError as trouble:
            raise Unavailable("Stripe does not answer") from trouble
        found: dict[str, Any] = answer.json()
        return found


def verify(raw: bytes, header: str, secrets: Iterable[str], now: datetime) -> None:
    """Believe that Stripe signed these bytes, with any of our secrets, within five minutes.

    Raises `WebhookMalformed`, `SignatureInvalid`, `TimestampOutOfTolerance`, in this order.
    """
    stamp, signatures = _parse(header)
    signed = stamp.encode() + b"." + raw
    expected = [hmac.digest(secret.encode(), signed, sha256).hex().encode() for secret in secrets]
    # Every pair is compared, so that the time it takes tells nothing.
    matches = [hmac.compare_digest(one, given) for one in expected for given in signatures]
    if not any(matches):
        raise SignatureInvalid
    if abs(now.timestamp() - int(stamp)) > TOLERANCE_S:
        raise TimestampOutOfTolerance(tolerance_s=TOLERANCE_S)


def sign(raw: bytes, secret: str, at: datetime) -> str:
    """Make the Stripe-Signature header that Stripe would: for its twin, and for tests."""
    stamp = str(int(at.timestamp()))
    signature = hmac.digest(secret.encode(), stamp.encode() + b"." + raw, sha256).hex()
    return f"t={stamp},v1={signature}"


def read(raw: bytes) -> Notice:
    """Read a notification whose signature is believed. Raises `WebhookMalformed`."""
    try:
        about = msgspec.json.decode(raw, type=_About)
        if about.type not in FACTS:
            return Notice(NAME, about.id, about.type, Fact.OTHER)  # of any shape: Stripe has many
        event = msgspec.json.decode(raw, type=_Event)
        thing = event.data.object
        purchase_id = thing.metadata.get("purchase_id")
        return Notice(
            provider=NAME,
            event_id=event.id,
            type=event.type,
            fact=_fact(event),
            payment_id=thing.payment_intent or thing.id,
            purchase_id=UUID(purchase_id) if purchase_id else None,
            amount=_amount(event),
            currency=thing.currency.upper(),
            thing_id=thing.id,
            won=thing.status == "won",
        )
    except (msgspec.MsgspecError, ValueError) as bad:
        raise WebhookMalformed("not one of Stripe's events") from bad


class _Object(msgspec.Struct):
    """The payment intent, charge or dispute that an event is about."""

    id: str = ""
    amount: int = 0
    amount_received: int = 0
    amount_refunded: int = 0
    currency: str = ""
    status: str = ""
    payment_intent: str | None = None
    metadata: dict[str, str] = {}


class _Data(msgspec.Struct):
    object: _Object


class _About(msgspec.Struct):
    id: str
    type: str


class _Event(_About):
    data: _Data


def _fact(event: _Event) -> Fact:
    fact = FACTS[event.type]
    # A warning is an inquiry: no money has left us yet.
    inquiry = fact is Fact.DISPUTED and event.data.object.status.startswith("warning_")
    return Fact.OTHER if inquiry else fact


def _amount(event: _Event) -> int:
    thing = event.data.object
    if event.type.startswith("payment_intent."):
        return thing.amount_received
    return thing.amount_refunded if event.type == "charge.refunded" else thing.amount


def _parse(header: str) -> tuple[str, Sequence[bytes]]:
    """Split the header into the time and its v1 signatures; other schemes are passed over."""
    parts = [part.partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in parts if name.strip() == "t"]
    signatures = [value.encode() for name, _, value in parts if name.strip() == "v1"]
    if len(stamps) != 1 or not (stamps[0].isascii() and stamps[0].isdigit()) or not signatures:
        raise WebhookMalformed("the Stripe-Signature header has no time or no signature")
    if len(stamps[0]) > 12:  # noqa: PLR2004  seconds; more would not be a date
        raise WebhookMalformed("the Stripe-Signature header has no time")
    return stamps[0], signatures
