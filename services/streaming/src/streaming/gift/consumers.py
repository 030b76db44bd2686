"""What we do when the ledger speaks of gifts: hundreds of facts in a handful of statements."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from hazina.outbox import ConsumedEvent, Received
from hazina.pg import Transaction
from streaming.chat.actions import Rooms
from streaming.gift import actions
from streaming.gift.rules import Gift


class GiftSent(ConsumedEvent, type="ledger.gift.sent.v1"):
    """Somebody gave somebody coins."""

    gift_id: UUID
    sender_id: UUID
    recipient_id: UUID
    gift_type: str
    quantity: int
    coin_amount: int
    stream_id: UUID | None = None
    box_id: UUID | None = None
    sent_at: datetime


class GiftReversed(ConsumedEvent, type="ledger.gift.reversed.v1"):
    """A gift was taken back."""

    gift_id: UUID


Handler = Callable[[Transaction, Sequence[Received[Any]]], Awaitable[None]]


def hears(rooms: Rooms) -> dict[type[ConsumedEvent], Handler]:
    """Give what we hear of gifts; those who listen to `rooms` are told after the commit."""

    async def count(tx: Transaction, facts: Sequence[Received[GiftSent]]) -> None:
        gifts = [
            Gift(
                said.gift_id,
                said.stream_id,
                said.box_id,
                said.sender_id,
                said.recipient_id,
                said.gift_type,
                said.quantity,
                said.coin_amount,
                said.sent_at,
            )
            for said in (fact.event for fact in facts)
        ]
        await actions.count_in(tx, rooms, gifts)

    return {GiftSent: count, GiftReversed: take_back}


async def take_back(tx: Transaction, facts: Sequence[Received[GiftReversed]]) -> None:
    """Take gifts off again, also one whose `GiftSent` is yet to come."""
    await actions.take_back_in(tx, {fact.event.gift_id: fact.time for fact in facts})
