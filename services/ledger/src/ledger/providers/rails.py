"""The providers that money reaches us by, and what we need to believe them."""

from dataclasses import dataclass

from ledger.providers.stripe import Stripe


@dataclass(frozen=True, slots=True)
class Rails:
    """Every provider, ready to be asked."""

    stripe: Stripe
    stripe_secrets: tuple[str, ...]  # any of them may have signed a notification
    review_from_usd_cents: int  # from here a purchase needs a second factor and a second look
