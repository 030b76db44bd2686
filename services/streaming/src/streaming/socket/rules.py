"""The protocol's shapes, its codes, and how fast a client may speak. Pure."""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

FRAME_BYTES_MAX = 16 * 1024
CHANNELS_MAX = 32
BOXES_MAX = 16
COMMANDS_PER_S = 20.0
COMMANDS_BURST = 60.0
STRIKES_MAX = 20  # refused commands before the socket is closed
HISTORY_MAX = 300
EPOCH_LENGTH = 8  # hex digits of the stream's id

_encode = msgspec.json.encode


class Connect(msgspec.Struct):
    """Who is there: the token of the access that everything else is done with."""

    token: str = ""


class Refresh(msgspec.Struct):
    """A newer token of the same user."""

    token: str = ""


class Subscribe(msgspec.Struct):
    """Which channel to listen to, and from where on."""

    channel: str
    recover: bool = False
    epoch: str = ""
    offset: int = 0


class InChannel(msgspec.Struct):
    """Which channel is meant."""

    channel: str


class Since(msgspec.Struct):
    """A place in a channel's history."""

    offset: int = 0
    epoch: str = ""


class History(msgspec.Struct):
    """What was said in a channel, from where on and how much of it."""

    channel: str
    limit: int = 0
    since: Since | None = None
    reverse: bool = False


class Publish(msgspec.Struct):
    """What to say in a channel."""

    channel: str
    data: dict[str, Any]


class Rpc(msgspec.Struct):
    """What to have done."""

    method: str
    data: dict[str, Any] = {}


class Command(msgspec.Struct):
    """One command; one without anything in it is the answer to a ping."""

    id: int = 0
    connect: Connect | None = None
    refresh: Refresh | None = None
    subscribe: Subscribe | None = None
    unsubscribe: InChannel | None = None
    publish: Publish | None = None
    presence: InChannel | None = None
    presence_stats: InChannel | None = None
    history: History | None = None
    rpc: Rpc | None = None

    @property
    def is_pong(self) -> bool:
        return self.id == 0


_decoder = msgspec.json.Decoder(Command)


class Close(Enum):
    """Why a socket is closed; those from 3500 on are final, after the others clients return."""

    EXPIRED = (3005, "expired")
    SLOW = (3008, "slow")
    NO_PONG = (3012, "no pong")
    RATE = (3013, "rate")
    TOKEN = (3500, "invalid token")
    BAD_REQUEST = (3501, "bad request")
    STALE = (3502, "stale")

    @property
    def code(self) -> int:
        return self.value[0]

    @property
    def reason(self) -> str:
        return self.value[1]


class Malformed(Exception):
    """The frame cannot be read."""


class Refused(Exception):
    """A command is refused by the protocol itself."""

    def __init__(self, code: int, message: str, *, temporary: bool = False) -> None:
        super().__init__(message)
        self.code, self.message, self.temporary = code, message, temporary


def unknown_channel() -> Refused:
    """Refuse a channel that has no meaning."""
    return Refused(102, "unknown channel")


def not_found() -> Refused:
    """Refuse a method that is not ours."""
    return Refused(104, "method not found")


def already_subscribed() -> Refused:
    """Refuse a second subscription to one channel."""
    return Refused(105, "already subscribed")


def limit_exceeded() -> Refused:
    """Refuse one channel too many."""
    return Refused(106, "limit exceeded")


def bad_request() -> Refused:
    """Refuse a command that makes no sense."""
    return Refused(107, "bad request")


def not_available() -> Refused:
    """Refuse what the channel cannot do."""
    return Refused(108, "not available")


def too_many_requests() -> Refused:
    """Refuse a client that speaks too fast."""
    return Refused(111, "too many requests", temporary=True)


def read(frame: str) -> list[Command]:
    """Read the commands of a frame, one a line; raises Malformed."""
    if len(frame) > FRAME_BYTES_MAX:
        raise Malformed
    try:
        return [_decoder.decode(line) for line in frame.splitlines() if line]
    except (msgspec.MsgspecError, UnicodeError) as bad:
        raise Malformed from bad


def reply(id: int, kind: str, result: Mapping[str, Any]) -> str:
    """Write the answer to a command."""
    return _encode({"id": id, kind: result}).decode()


def refusal(id: int, code: int, message: str, *, temporary: bool) -> str:
    """Write a no."""
    error: dict[str, Any] = {"code": code, "message": message}
    if temporary:
        error["temporary"] = True
    return _encode({"id": id, "error": error}).decode()


def pushed(channel: str, data: Mapping[str, Any]) -> str:
    """Write a publication for one client alone."""
    return _encode({"push": {"channel": channel, "pub": {"data": data}}}).decode()


def unsubscribed(channel: str, reason: str) -> str:
    """Say that a client listens to a channel no more."""
    push = {"channel": channel, "unsubscribe": {"code": 2000, "reason": reason}}
    return _encode({"push": push}).decode()


def expiry(token: str) -> int:
    """Read when a token that was verified before ends, in seconds since 1970."""
    payload = token.split(".")[1]
    claims = msgspec.json.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return int(claims["exp"])


@dataclass(slots=True)
class Bucket:
    """How fast a client may speak: so many at once, and so many a second after that."""

    filled_at: float
    tokens: float = COMMANDS_BURST
    rate: float = COMMANDS_PER_S
    burst: float = COMMANDS_BURST

    def take(self, now: float) -> bool:
        """Take one, if there is one."""
        self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
