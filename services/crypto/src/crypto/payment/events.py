"""What payment tells the other services."""

from uuid import UUID

from hazina.outbox import Event


class TransferCompleted(Event, type="crypto.transfer.completed", version=1, key="from_wallet_id"):
    """Tokens moved from one wallet to another; `amount_base` counts the token's base units."""

    transaction_id: UUID
    type: str
    from_wallet_id: UUID
    to_wallet_id: UUID
    from_user_id: UUID | None
    to_user_id: UUID | None
    token: str
    amount_base: str
