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
