"""What purchases tell the other services."""

from uuid import UUID

from hazina.outbox import Event


class PurchaseConfirmed(Event, type="ledger.purchase.confirmed", version=1, key="user_id"):
    """Somebody paid, and has the coins; some of them may have repaid a debt."""

    purchase_id: UUID
    user_id: UUID
    provider: str
    package_id: UUID
    coin_amount: int
    bonus_coins: int
    amount: int
    currency: str
    debt_repaid: int
    transaction_id: UUID


class _Loss(Event):
    """Money of a purchase went back, or came again; coins followed it."""

    purchase_id: UUID
    user_id: UUID
    coin_amount: int
    amount: int
    currency: str
    debt_coins: int
    whole: bool
    transaction_id: UUID


class PurchaseRefunded(_Loss, type="ledger.purchase.refunded", version=1, key="user_id"):
    """Money was given back, and coins were taken; those that were spent became debt."""


class PurchaseChargedBack(_Loss, type="ledger.purchase.charged_back", version=1, key="user_id"):
    """The payer's bank took the money back, and coins were taken."""


class PurchaseReinstated(_Loss, type="ledger.purchase.reinstated", version=1, key="user_id"):
    """A dispute was won: the money came again, and so did the coins, debt first."""
