"""What can be done with gifts: count, take back, rank."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hazina.pg import SERVICE, Database, Transaction
from streaming.channel.actions import Hub
from streaming.chat import actions as chat
from streaming.chat.actions import Rooms
from streaming.gift import rules, store
from streaming.gift.rules import EPOCH, EVERYWHERE, PERIODS, Gift, Period

STREAM_BOARD_AFTER_END = timedelta(minutes=5)
YESTERDAY = timedelta(days=1)


async def count_in(tx: Transaction, rooms: Rooms, told: Sequence[Gift]) -> int:
    """Count gifts that are new to us: feed, chat, sums. One that was taken back adds nothing."""
    fresh = {gift.gift_id: gift for gift in told}
    places = await store.read_places(tx, list(fresh.values()))
    gifts = [_placed(gift, places[id]) for id, gift in fresh.items() if not places[id].known]
    if not gifts:
        return 0
    shown = [
        {
            "gift_id": gift.gift_id,
            "stream_id": gift.stream_id,
            "sender_id": gift.sender_id,
            "at": gift.sent_at,
            "shown": shape(gift),
        }
        for gift in gifts
        if gift.stream_id is not None
    ]
    seqs = await chat.add_gifts_in(tx, rooms, shown)
    await store.add_feed(tx, gifts, seqs)
    await store.change_streams(tx, gifts, sign=1)
    await store.change_profiles(tx, gifts, sign=1)
    await store.add_totals(tx, rules.totals(gifts))
    return len(gifts)


async def take_back_in(tx: Transaction, reversed_at: dict[UUID, datetime]) -> int:
    """Take gifts off all that they were added to; one that we never heard of is remembered."""
    counted = await store.lock_feed(tx, reversed_at)
    await store.reverse_feed(tx, reversed_at)
    gifts = [gift for gift, _ in counted]
    if not gifts:
        return 0
    marked = [(g.stream_id, seq) for g, seq in counted if g.stream_id and seq is not None]
    await chat.mark_reversed_in(tx, marked)
    await store.change_streams(tx, gifts, sign=-1)
    await store.change_profiles(tx, gifts, sign=-1)
    await store.take_totals(tx, rules.totals(gifts), max(reversed_at.values()))
    return len(gifts)


async def rank_streams(db: Database, hub: Hub, now: datetime) -> int:
    """Compute the boards of live streams; those who listen are told when one moved."""
    async with db.transaction(SERVICE) as tx:
        if not await store.lock_boards(tx, "stream"):
            return 0
        ids = await store.list_gifted_streams(tx, now - STREAM_BOARD_AFTER_END)
        moved = await store.rank(tx, "stream", "sent", "all", start=EPOCH, ids=ids) if ids else 0
    if moved:
        for id in ids:
            hub.publish(f"stream:{id}", {"type": "stream", "stream_id": id, "changed": "board"})
    return moved


async def rank_period(db: Database, period: Period, now: datetime, *, whole: bool = False) -> int:
    """Compute the global boards of a period, and those of streamers who may have moved."""
    start = rules.window_start(period, now)
    async with db.transaction(SERVICE) as tx:
        if not await store.lock_boards(tx, period):
            return 0
        moved = 0
        for metric in ("sent", "received"):
            moved += await store.rank(tx, "global", metric, period, start=start, ids=[EVERYWHERE])
        if whole:
            active = await store.list_active_streamers(tx, period, start)
        else:
            days = [rules.window_start("day", now - age) for age in (timedelta(0), YESTERDAY)]
            found = [await store.list_active_streamers(tx, "day", day) for day in days]
            active = sorted({id for ids in found for id in ids})
        if active:
            moved += await store.rank(tx, "streamer", "sent", period, start=start, ids=active)
    return moved


async def rank_all(db: Database, now: datetime) -> int:
    """Compute every board of every current window anew: what a late reversal moved, too."""
    return sum([await rank_period(db, period, now, whole=True) for period in PERIODS])


def shape(gift: Gift) -> dict[str, Any]:
    """Show a gift as chats and sockets carry it."""
    return {
        "gift_id": str(gift.gift_id),
        "stream_id": None if gift.stream_id is None else str(gift.stream_id),
        "box_id": None if gift.box_id is None else str(gift.box_id),
        "sender_id": str(gift.sender_id),
        "recipient_id": str(gift.recipient_id),
        "gift_type": gift.gift_type,
        "quantity": gift.quantity,
        "coin_amount": gift.coin_amount,
        "sent_at": gift.sent_at.isoformat(),
        "reversed": False,
    }


def _placed(gift: Gift, place: store.Place) -> Gift:
    """Keep the stream that a gift names only where it belongs there."""
    belongs = rules.shows(
        appears=place.appears, status=place.status, ended_at=place.ended_at, sent_at=gift.sent_at
    )
    return gift if belongs else replace(gift, stream_id=None, box_id=None)
