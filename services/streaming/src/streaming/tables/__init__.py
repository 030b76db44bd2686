"""Every table streaming owns, by capability, with one metadata."""

from streaming.tables.box import box_transitions, video_boxes
from streaming.tables.cell import presence_cell_leases, presence_replicas
from streaming.tables.chat import chat_messages, chat_rooms, chat_sanctions
from streaming.tables.gift import gift_feed, gift_totals, leaderboard_cache
from streaming.tables.metadata import metadata
from streaming.tables.presence import box_viewers, presence_marker
from streaming.tables.profile import entitlement_snapshot, profiles
from streaming.tables.stream import live_streams

__all__ = [
    "box_transitions",
    "box_viewers",
    "chat_messages",
    "chat_rooms",
    "chat_sanctions",
    "entitlement_snapshot",
    "gift_feed",
    "gift_totals",
    "leaderboard_cache",
    "live_streams",
    "metadata",
    "presence_cell_leases",
    "presence_marker",
    "presence_replicas",
    "profiles",
    "video_boxes",
]
