"""What gifts tell the other services."""

from datetime import datetime
from uuid import UUID

from hazina.outbox import Event


class GiftSent(Event, type="ledger.gift.sent", version=1, key="recipient_id"):
    """Coins of a sender became a recipient's earnings; the rest became the platform's revenue."""

    gift_id: UUID
    sender_id: UUID
    recipient_id: UUID
    gift_type_id: UUID
    gift_type: str
    quantity: int
    coin_amount: int
    streamer_revenue: int
    platform_revenue: int
    stream_id: UUID | None
    box_id: UUID | None
    combo_id: UUID | None
    sent_at: datetime
    transaction_id: UUID


class GiftReversed(Event, type="ledger.gift.reversed", version=1, key="recipient_id"):
    """A gift was taken back: the sender has the coins again, the recipient not the earnings."""

    gift_id: UUID
    sender_id: UUID
    recipient_id: UUID
    gift_type_id: UUID
    gift_type: str
    coin_amount: int
    streamer_revenue: int
    platform_revenue: int
    stream_id: UUID | None
    box_id: UUID | None
    transaction_id: UUID
    absorbed: int
