"""Who may speak in a chat, and what a message may be. Pure."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from hazina.problems import Kind, Problem
from streaming.profile.rules import UserSuspended

BODY_MAX = 500


class ChatBanned(Problem, code="chat.banned", kind=Kind.FORBIDDEN):
    """The host has banned you from their streams."""


class ChatTimedOut(Problem, code="chat.timed_out", kind=Kind.FORBIDDEN):
    """You may not write here for a while."""


class ChatNotLive(Problem, code="stream.not_live", kind=Kind.CONFLICT):
    """The stream is not live."""


class BodyEmpty(Problem, code="chat.body_empty", kind=Kind.INVALID):
    """A message says something that can be seen."""


class SlowMode(Problem, code="chat.slow_mode", kind=Kind.SPENT):
    """The chat is slowed down; wait before you write again."""


@dataclass(frozen=True, slots=True)
class Room:
    """A stream's chat as it stands inside one transaction."""

    stream_id: UUID
    day: date
    slow_seconds: int
    host_id: UUID
    status: str


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody who wants to write, with what stands against it."""

    profile_id: UUID
    suspended: bool
    sanction: str | None
    until: datetime | None
    last_spoke_at: datetime | None


@dataclass(frozen=True, slots=True)
class Message:
    """What was said, with its number."""

    stream_id: UUID
    seq: int
    kind: str
    profile_id: UUID | None
    display_name: str | None
    supporter: bool
    body: str | None
    gift: Mapping[str, Any] | None
    client_msg_id: str | None
    created_at: datetime
    deleted: bool = False


def clean(body: str) -> str:
    """Bring a message into one form: NFC, trimmed, no control characters but the line break."""
    text = unicodedata.normalize("NFC", body)
    kept = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in {"Cc", "Cs"})
    kept = kept.strip()
    if not kept:
        raise BodyEmpty
    return kept


def speak(room: Room, speaker: Speaker, now: datetime) -> None:
    """Let somebody write, or refuse by the first broken rule in this order."""
    if speaker.suspended:
        raise UserSuspended
    if speaker.sanction == "ban":
        raise ChatBanned
    if speaker.sanction == "timeout" and speaker.until is not None and speaker.until > now:
        raise ChatTimedOut(until=speaker.until.isoformat())
    if room.status != "live":
        raise ChatNotLive(state=room.status)
    if speaker.profile_id == room.host_id or speaker.last_spoke_at is None:
        return
    wait = speaker.last_spoke_at + timedelta(seconds=room.slow_seconds) - now
    if wait > timedelta(0):
        wait_ms = wait // timedelta(milliseconds=1)
        raise SlowMode(retry_after_ms=wait_ms, retry_after_s=-(-wait_ms // 1000))
