"""Channel names, and messages as they stand on the wire. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

KINDS = frozenset({"box", "stream", "ctl", "user"})
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Channel:
    """What a channel is about: `box:{id}`, `stream:{id}`, `ctl:{box_id}`, `user:{id}`."""

    kind: str
    id: UUID

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


def parse(name: str) -> Channel | None:
    """Read a channel's name; None for one that cannot be."""
    kind, _, tail = name.partition(":")
    if kind not in KINDS:
        return None
    try:
        found = Channel(kind, UUID(tail))
    except ValueError:
        return None
    return found if str(found) == name else None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A message that is encoded already; numbered ones may not be lost on the way."""

    text: str
    channel: str = ""
    offset: int = 0  # 0: not numbered

    @property
    def droppable(self) -> bool:
        """Whether a slow reader may miss it."""
        return self.offset == 0


def publication(channel: str, data: Mapping[str, Any], offset: int = 0) -> Frame:
    """Encode `data` as a publication in `channel`."""
    pub: dict[str, Any] = {"data": data}
    if offset:
        pub["offset"] = offset
    return _frame(channel, {"pub": pub}, offset)


def arrival(channel: str, user: UUID, client: UUID) -> Frame:
    """Say that a client came into `channel`."""
    return _frame(channel, {"join": {"info": {"user": str(user), "client": str(client)}}})


def departure(channel: str, user: UUID, client: UUID) -> Frame:
    """Say that a client left `channel`."""
    return _frame(channel, {"leave": {"info": {"user": str(user), "client": str(client)}}})


def _frame(channel: str, push: Mapping[str, Any], offset: int = 0) -> Frame:
    return Frame(_encode({"push": {"channel": channel, **push}}).decode(), channel, offset)


class Sequence:
    """One channel's numbered messages, put back in order as they come from several writers."""

    __slots__ = ("held", "told")

    def __init__(self) -> None:
        self.told: int | None = None  # the last number told; unknown until the rows were read
        self.held: dict[int, Frame] = {}

    def start(self, last: int) -> list[Frame]:
        """Begin after number `last`, unless begun; give what is next."""
        if self.told is None:
            self.told = last
        return self.take()

    def add(self, frame: Frame) -> list[Frame]:
        """Take a numbered message; give what may be told by now."""
        if self.told is None or frame.offset > self.told:
            self.held[frame.offset] = frame
        return self.take()

    def take(self) -> list[Frame]:
        """Give the held messages that follow without a gap."""
        if self.told is None:
            return []
        ready: list[Frame] = []
        while (frame := self.held.pop(self.told + 1, None)) is not None:
            ready.append(frame)
            self.told += 1
        for offset in [offset for offset in self.held if offset <= self.told]:
            del self.held[offset]
        return ready

    @property
    def gap(self) -> tuple[int, int] | None:
        """The first and last number that are missing before what is held."""
        if self.told is None or not self.held:
            return None
        return self.told + 1, min(self.held) - 1
