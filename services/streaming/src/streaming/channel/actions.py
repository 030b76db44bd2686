"""What can be done with a channel: listen, stop, tell."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from streaming.channel import rules
from streaming.channel.rules import Frame


class Listener(Protocol):
    """Somebody who is told: a connection."""

    def tell(self, frame: Frame) -> None:
        """Take a frame to be sent; never waits."""


class Hub:
    """Who in this process listens to which channel."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._listeners: dict[str, set[Listener]] = {}
        self._waiting: dict[str, asyncio.Future[None]] = {}

    def listen(self, channel: str, listener: Listener) -> None:
        """Have `listener` told what is said in `channel` from now on."""
        self._listeners.setdefault(channel, set()).add(listener)

    def leave(self, channel: str, listener: Listener) -> None:
        """Stop telling `listener`."""
        there = self._listeners.get(channel)
        if there is not None:
            there.discard(listener)
            if not there:
                del self._listeners[channel]

    def heard(self, channel: str) -> bool:
        """Tell whether anybody listens."""
        return channel in self._listeners

    def listeners(self, channel: str) -> Iterable[Listener]:
        """Give those who listen now."""
        return tuple(self._listeners.get(channel, ()))

    def publish(self, channel: str, data: Mapping[str, Any]) -> None:
        """Tell `data`, unnumbered, to all who listen."""
        waiting = self._waiting.pop(channel, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        if channel in self._listeners:
            self.spread([rules.publication(channel, data)])

    def spread(self, frames: Iterable[Frame]) -> None:
        """Hand each frame, encoded once, to all who listen to its channel."""
        for frame in frames:
            for listener in self._listeners.get(frame.channel, ()):
                listener.tell(frame)

    async def wait(self, channel: str, timeout_s: float) -> None:
        """Return when something unnumbered is said in `channel`, or after `timeout_s`."""
        waiting = self._waiting.get(channel)
        if waiting is None or waiting.done():
            waiting = asyncio.get_running_loop().create_future()
            self._waiting[channel] = waiting
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(waiting)
