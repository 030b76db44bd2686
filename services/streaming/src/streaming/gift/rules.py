"""Which sums a gift adds to, and in which windows of time. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

Period = Literal["day", "week", "month", "all"]
PERIODS: tuple[Period, ...] = ("day", "week", "month", "all")
EVERYWHERE = UUID(int=0)  # the scope_id of what is global
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REFRESH_S: dict[Period, int] = {"day": 30, "week": 300, "month": 300, "all": 300}
STREAM_REFRESH_S = 2  # of a live stream's board
TAIL = timedelta(seconds=60)  # a gift sent that long after the end still counts for the stream


@dataclass(frozen=True, slots=True)
class Gift:
    """A gift as the ledger tells of it."""

    gift_id: UUID
    stream_id: UUID | None
    box_id: UUID | None
    sender_id: UUID
    recipient_id: UUID
    gift_type: str
    quantity: int
    coin_amount: int
    sent_at: datetime


class Board(NamedTuple):
    """One sum of one person: the key of a row in gift_totals."""

    scope: str
    scope_id: UUID
    metric: str
    period: Period
    window_start: datetime
    profile_id: UUID


@dataclass(slots=True)
class Sum:
    """What a row of gift_totals grows by."""

    coins: int = 0
    gifts: int = 0
    reached_at: datetime = EPOCH


def window_start(period: Period, at: datetime) -> datetime:
    """Give the beginning of the window that `at` falls into; UTC, weeks begin on Monday."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "all":
            return EPOCH


def window_end(period: Period, start: datetime) -> datetime | None:
    """Give the end of a window, itself not in it; all time has none."""
    match period:
        case "day":
            return start + timedelta(days=1)
        case "week":
            return start + timedelta(days=7)
        case "month":
            return (start + timedelta(days=31)).replace(day=1)
        case "all":
            return None


def shows(
    *, appears: bool, status: str | None, ended_at: datetime | None, sent_at: datetime
) -> bool:
    """Tell whether a gift belongs to the stream it names.

    Only if the recipient streams there and it is live or has just ended: naming somebody else's
    stream gives no exposure in it.
    """
    if not appears or status not in {"live", "ended"}:
        return False
    return ended_at is None or sent_at <= ended_at + TAIL


def totals(gifts: Iterable[Gift], *, sign: int = 1) -> dict[Board, Sum]:
    """Add up what gifts add to every board; `stream_id` is set only where a gift shows."""
    sums: dict[Board, Sum] = {}
    windows: dict[datetime, list[tuple[Period, datetime]]] = {}
    for gift in gifts:
        hour = gift.sent_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        spans = windows.get(hour)
        if spans is None:
            spans = windows[hour] = [(period, window_start(period, hour)) for period in PERIODS]
        for board in _boards(gift, spans):
            entry = sums.get(board)
            if entry is None:
                entry = sums[board] = Sum()
            entry.coins += sign * gift.coin_amount
            entry.gifts += sign
            entry.reached_at = max(entry.reached_at, gift.sent_at)
    return sums


def _boards(gift: Gift, spans: Iterable[tuple[Period, datetime]]) -> Iterable[Board]:
    sender, recipient = gift.sender_id, gift.recipient_id
    for period, start in spans:
        yield Board("global", EVERYWHERE, "sent", period, start, sender)
        yield Board("global", EVERYWHERE, "received", period, start, recipient)
        yield Board("streamer", recipient, "sent", period, start, sender)
    if gift.stream_id is not None:
        yield Board("stream", gift.stream_id, "sent", "all", EPOCH, sender)
