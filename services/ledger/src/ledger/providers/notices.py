"""What payment providers tell us, in our words, and every way of not believing them."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from hazina.problems import Kind, Problem


class WebhookMalformed(Problem, code="webhook.malformed", kind=Kind.MALFORMED):
    """This is not a notification that we can read."""


class SignatureInvalid(Problem, code="webhook.signature_invalid", kind=Kind.MALFORMED):
    """Nobody whom we trust has signed this."""


class TimestampOutOfTolerance(
    Problem, code="webhook.timestamp_out_of_tolerance", kind=Kind.MALFORMED
):
    """This was signed too long ago, or in the future."""


class Fact(StrEnum):
    """What a notification says happened."""

    PAID = "paid"
    FAILED = "failed"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    DISPUTE_CLOSED = "dispute_closed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification of a provider. Amounts are minor units of `currency`, in capitals."""

    provider: str
    event_id: str
    type: str
    fact: Fact
    payment_id: str | None = None
    purchase_id: UUID | None = None
    amount: int = 0
    currency: str = ""
    thing_id: str = ""  # the provider's id of the charge or dispute itself
    won: bool = False  # of a closed dispute


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment that a provider waits for: its id, and what the payer's client needs to pay."""

    payment_id: str
    client_secret: str


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as its provider reports it when asked."""

    payment_id: str
    paid: bool
    amount: int
    currency: str
