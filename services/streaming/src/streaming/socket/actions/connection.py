"""One connection: what it asks, what it listens to, what is queued for it."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hazina import ids
from hazina.auth import Caller, Verifier
from hazina.pg import Database
from streaming.channel.actions import Hub
from streaming.channel.rules import Frame
from streaming.chat.actions import Rooms
from streaming.presence.actions import Presence
from streaming.presence.rules import Session
from streaming.socket import rules
from streaming.socket.rules import Bucket, Close

QUEUE_BYTES_MAX = 64 * 1024
ANSWERS_BYTES_MAX = 1024 * 1024  # who asks on and on without reading is closed at that
CONNECT_WITHIN_S = 10
CONNECTS_PER_S = 1_000.0  # more in one process would only starve those who are there
EXPIRED_GRACE_S = 25  # a client may refresh its token that late
JITTER = 0.1  # of the time between pings, so that clients that came together do not stay so


@dataclass(frozen=True, slots=True)
class House:
    """All that connections share."""

    db: Database
    hub: Hub
    presence: Presence
    rooms: Rooms
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    ping_every_s: float
    pong_wait_s: float


class Connection:
    """A client's socket. All of it runs on the event loop; sending never blocks who tells."""

    def __init__(self, house: House, verifier: Verifier) -> None:
        """Begin without a name; the first command must say who is there."""
        self.house = house
        self.verifier = verifier
        self.id = ids.new()
        self.caller: Caller | None = None
        self.token = ""
        self.expires_at = 0  # seconds since 1970
        self.viewings: dict[str, tuple[Session, int]] = {}  # by channel, with the generation
        self.channels: set[str] = set()
        self.bucket = Bucket(house.monotonic())
        self.strikes = 0
        self.closing: Close | None = None
        self._queue: deque[str] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._positions: dict[str, int] = {}
        self._opening: dict[str, list[Frame]] = {}
        self._waits_for_pong = False
        self._timer: asyncio.TimerHandle | None = None

    # --- telling ---------------------------------------------------------------------------

    def tell(self, frame: Frame) -> None:
        """Queue what is said in a channel; a slow reader misses what may be, or is closed."""
        opening = self._opening.get(frame.channel)
        if opening is not None:
            opening.append(frame)
            return
        if frame.offset and frame.offset <= self._positions.get(frame.channel, 0):
            return
        if self._queued + len(frame.text) > QUEUE_BYTES_MAX:
            if not frame.droppable:
                self.close(Close.SLOW)
            return
        if frame.offset:
            self._positions[frame.channel] = frame.offset
        self.send(frame.text)

    def send(self, text: str) -> None:
        """Queue a frame of our own, or close a client that asks more than it reads."""
        if self._queued + len(text) > ANSWERS_BYTES_MAX:
            self.close(Close.SLOW)
        if self.closing is None:
            self._queue.append(text)
            self._queued += len(text)
            self._wake.set()

    async def next_frame(self) -> str | None:
        """Wait for something to send, everything that is queued in one frame; None to close."""
        while not self._queue:
            if self.closing is not None:
                return None
            self._wake.clear()
            await self._wake.wait()
        text = "\n".join(self._queue)
        self._queue.clear()
        self._queued = 0
        return text

    def close(self, why: Close) -> None:
        """Close the socket, once what is queued is sent."""
        if self.closing is None:
            self.closing = why
            self._wake.set()

    # --- channels --------------------------------------------------------------------------

    def open(self, channel: str) -> None:
        """Listen to a channel; what is said before `opened` waits."""
        self._opening[channel] = []
        self.channels.add(channel)
        self.house.hub.listen(channel, self)

    def opened(self, channel: str, position: int = 0) -> None:
        """Hand on what was said since the channel was opened, without what is known."""
        waiting = self._opening.pop(channel, [])
        self._positions[channel] = position
        for frame in waiting:
            self.tell(frame)

    def leave_channel(self, channel: str) -> None:
        """Listen to a channel no more."""
        self._opening.pop(channel, None)
        self._positions.pop(channel, None)
        self.channels.discard(channel)
        self.house.hub.leave(channel, self)
        if channel.startswith("stream:"):
            self.house.rooms.leave(UUID(channel.removeprefix("stream:")))

    def gone(self) -> None:
        """Take in that the socket is closed: viewings are doubted or may come back."""
        if self._timer is not None:
            self._timer.cancel()
        presence = self.house.presence
        for session, generation in self.viewings.values():
            if session.row < 0 or session.generation != generation:
                continue  # over, or taken up again on another socket
            if self.closing is None:
                presence.audience.closing(session, self.house.monotonic())
            elif self.closing is Close.TOKEN:
                presence.leave(session, "kicked")
            else:
                presence.audience.suspect(session)
        self.viewings.clear()
        for channel in list(self.channels):
            self.leave_channel(channel)

    # --- time ------------------------------------------------------------------------------

    def start_clock(self) -> None:
        """Close the socket unless somebody says within a few seconds who is there."""
        self._later(CONNECT_WITHIN_S, self._unknown)

    def start_pinging(self) -> None:
        """Ping from now on; a pong that stays out closes the socket."""
        if self._timer is not None:
            self._timer.cancel()
        self._ping_later(self.house.ping_every_s)

    async def pong(self) -> None:
        """Take a pong: a heartbeat of every viewing on this socket."""
        self._waits_for_pong = False
        now = self.house.monotonic()
        for channel, (session, generation) in list(self.viewings.items()):
            if session.row < 0 or session.generation != generation:
                del self.viewings[channel]
                self.leave_channel(channel)
                self.send(rules.unsubscribed(channel, "viewing ended"))
            else:
                self.house.presence.audience.hear(session, now)

    def _unknown(self) -> None:
        if self.caller is None:
            self.close(Close.STALE)

    def _ping(self) -> None:
        if self.house.clock().timestamp() > self.expires_at + EXPIRED_GRACE_S:
            self.close(Close.EXPIRED)
            return
        self._waits_for_pong = True
        self.send("{}")
        self._later(self.house.pong_wait_s, self._check_pong)

    def _check_pong(self) -> None:
        if self._waits_for_pong:
            self.close(Close.NO_PONG)
        else:
            self._ping_later(self.house.ping_every_s - self.house.pong_wait_s)

    def _ping_later(self, seconds: float) -> None:
        spread = self.house.ping_every_s * JITTER
        self._later(max(0.0, seconds + random.uniform(-spread, spread)), self._ping)  # noqa: S311

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, call)


class Connections:
    """Every connection of this process, to be found by who is behind it."""

    def __init__(self, now: float) -> None:
        """Start with none."""
        self.all: set[Connection] = set()
        self.bucket = Bucket(now, CONNECTS_PER_S, CONNECTS_PER_S, CONNECTS_PER_S)

    def close_sessions(self, session_ids: set[str]) -> None:
        """Close the sockets of logins that were ended."""
        for connection in list(self.all):
            caller = connection.caller
            if caller is not None and caller.session_id in session_ids:
                connection.close(Close.TOKEN)
