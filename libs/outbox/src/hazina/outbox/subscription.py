"""An ordered, unacknowledged reading of one shard of a stream; positions are kept elsewhere."""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, time

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import Error as NatsError

from hazina import ids
from hazina.outbox.stream import Stream

HEARTBEAT_S = 1
SILENT_S = 3  # three heartbeats missed: rebuilt, because nats-py would wait for ever (its #510)
LINGER_S = 0.001  # a batch is sent as one; let the rest of it arrive
PENDING_MAX_MSGS, PENDING_MAX_BYTES = 65_536, 64_000_000


@dataclass(frozen=True, slots=True)
class Message:
    """One numbered fact as it came, from the stream or from its source's ledger."""

    seq: int
    headers: Mapping[str, str]
    payload: bytes
    stream_seq: int = 0  # 0 when it came from the ledger
    stored_at: float = 0  # seconds, by the broker's clock
    received_at: float = 0  # seconds

    @property
    def type(self) -> str:
        """What fact it is, with its version."""
        return self.headers["ce-type"]

    @property
    def key(self) -> str:
        """Whose order it keeps."""
        return self.headers["ce-subject"]


class Subscription:
    """What the stream has of one shard from one place on."""

    def __init__(self, stream: Stream, shard: int, consumer: str) -> None:
        self._stream = stream
        self._shard = shard
        self._name = f"{consumer}-{shard}-{ids.new().hex}"
        # Requests of the broker to slow down or go on wait in line with the messages: answering
        # one when its turn comes is what bounds the queue.
        self._queue: deque[Message | str] = deque()
        self._ready = asyncio.Event()
        self._heard_at = monotonic()
        self._subscription: NatsSubscription | None = None

    @property
    def silent(self) -> bool:
        """Whether not even a heartbeat came for three seconds."""
        return monotonic() - self._heard_at > SILENT_S

    async def open(self, start: int) -> None:
        """Begin with the first message at or after place `start`."""
        nats = self._stream.nats
        inbox = nats.new_inbox()
        self._subscription = await nats.subscribe(
            inbox,
            cb=self._hear,
            pending_msgs_limit=PENDING_MAX_MSGS,
            pending_bytes_limit=PENDING_MAX_BYTES,
        )
        subjects = self._stream.subjects(self._shard)
        asked = {
            "name": self._name,
            "deliver_subject": inbox,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": max(start, 1),
            "ack_policy": "none",
            "replay_policy": "instant",
            "filter_subject": subjects,
            "flow_control": True,
            "idle_heartbeat": HEARTBEAT_S * 1_000_000_000,
            "inactive_threshold": 10_000_000_000,
            "max_deliver": 1,
            "mem_storage": True,
            "num_replicas": 1,
        }
        name = self._stream.name
        await self._stream.ask(
            f"CONSUMER.CREATE.{name}.{self._name}.{subjects}",
            {"stream_name": name, "config": asked, "action": "create"},
        )
        self._heard_at = monotonic()

    async def take(self, limit: int, wait_s: float) -> list[Message]:
        """Give the next messages, in order; none when nothing came in `wait_s`."""
        if not self._queue:
            self._ready.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), wait_s)
        if len(self._queue) < limit:
            await asyncio.sleep(LINGER_S)
        taken: list[Message] = []
        while self._queue and len(taken) < limit:
            item = self._queue.popleft()
            if isinstance(item, str):
                await self._stream.nats.publish(item)
            else:
                taken.append(item)
        return taken

    def wake(self) -> None:
        """Let `take` return, to see that the world has changed."""
        self._ready.set()

    async def close(self) -> None:
        """Stop; the broker forgets the reading."""
        if self._subscription:
            with suppress(NatsError, ValueError):
                await self._subscription.unsubscribe()

    async def _hear(self, msg: Msg) -> None:
        self._heard_at = monotonic()
        headers = msg.headers or {}
        if headers.get("Status") == "100":
            if stalled := headers.get("Nats-Consumer-Stalled"):
                self._queue.append(stalled)
            elif msg.reply:
                self._queue.append(msg.reply)
            else:
                return
        else:
            self._queue.append(_message(msg, headers))
        self._ready.set()


def _message(msg: Msg, headers: Mapping[str, str]) -> Message:
    # $JS.ACK.<stream>.<consumer>.<delivered>.<place>.<n>.<nanoseconds>.<pending>; newer servers
    # put a domain and an account before the stream and a token at the end.
    parts = msg.reply.split(".")
    at = 5 if len(parts) < 11 else 7  # noqa: PLR2004
    return Message(
        seq=int(headers["Hazina-Seq"]),
        headers=headers,
        payload=msg.data,
        stream_seq=int(parts[at]),
        stored_at=int(parts[at + 2]) / 1e9,
        received_at=time(),
    )
