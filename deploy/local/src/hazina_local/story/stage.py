"""Going live, and watching: the Centrifuge protocol over one WebSocket."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from hazina_local.story.world import Json, Person, World, Wrong, expect

REPLY_WAIT_S = 10


async def go_live(world: World, host: Person) -> tuple[str, str]:
    """Make a stream with its host's box, and start it: the stream's id and the box's."""
    stream = await world.post("/streaming/v1/streams", {"title": f"{host.name} is live"}, host)
    box = stream["boxes"][0]
    expect(box["is_published"] is False, "a box that nobody watches is not published", box)
    live = await world.post(f"/streaming/v1/streams/{stream['id']}/start", {}, host, expected=200)
    expect(live["status"] == "live", "the stream is live", live)
    return stream["id"], box["id"]


async def publish_state(world: World, person: Person, box_id: str) -> Json:
    """Whether a box is published right now, and why."""
    return await world.get(f"/streaming/v1/boxes/{box_id}/publish-state", person)


class Socket:
    """One app's connection: it answers pings, and remembers whatever it is told."""

    def __init__(self, connection: ClientConnection) -> None:
        """Take an open WebSocket."""
        self._connection = connection
        self._next_id = 0
        self._replies: dict[int, asyncio.Future[Json]] = {}
        self._told: list[tuple[str, Json]] = []
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def ask(self, **command: Json) -> Json:
        """Send one command and wait for its reply; `Wrong` when it is refused."""
        self._next_id += 1
        reply: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._replies[self._next_id] = reply
        await self._connection.send(json.dumps({"id": self._next_id, **command}))
        try:
            found = await asyncio.wait_for(reply, REPLY_WAIT_S)
        except TimeoutError:
            raise Wrong(f"no reply to {command} in {REPLY_WAIT_S} s") from None
        if "error" in found:
            raise Wrong(f"{command} was refused: {found['error']}")
        return found

    async def subscribe(self, channel: str) -> Json:
        """Hear what is said in a channel; for `box:` channels, subscribing is watching."""
        return (await self.ask(subscribe={"channel": channel}))["subscribe"]

    async def hear(
        self, channel: str, right: Callable[[Any], bool], *, what: str, within_s: float = 10
    ) -> Json:
        """Wait for a publication in a channel that is right; earlier ones count too."""

        def found() -> Json | None:
            return next((data for at, data in self._told if at == channel and right(data)), None)

        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(lambda: found() is not None), within_s)
            except TimeoutError:
                told = [data for at, data in self._told if at == channel]
                raise Wrong(f"{what}: on {channel} only {told} came in {within_s:g} s") from None
        return found()

    def fall_silent(self) -> None:
        """Stop reading and answering, and leave the connection open: a phone without network."""
        self._reading.cancel()
        self._connection.transport.pause_reading()

    async def close(self) -> None:
        """Close the connection."""
        self._reading.cancel()
        with suppress(asyncio.CancelledError, ConnectionClosed):
            await self._reading
        self._connection.transport.abort()

    async def _read(self) -> None:
        async for frame in self._connection:
            text = frame if isinstance(frame, str) else frame.decode()
            for line in text.splitlines():
                await self._take(json.loads(line))

    async def _take(self, message: Json) -> None:
        if not message:
            await self._connection.send("{}")
        elif "push" in message:
            push = message["push"]
            if "pub" in push:
                async with self._news:
                    self._told.append((push["channel"], push["pub"]["data"]))
                    self._news.notify_all()
        elif (reply := self._replies.pop(message.get("id", 0), None)) is not None:
            reply.set_result(message)


@asynccontextmanager
async def connected(world: World, person: Person) -> AsyncIterator[Socket]:
    """An app that is connected as this person for as long as the block runs."""
    try:
        connection = await connect(world.websocket_url, open_timeout=REPLY_WAIT_S)
    except (InvalidHandshake, OSError) as refused:
        raise Wrong(f"{world.websocket_url} takes no connection: {refused}") from None
    socket = Socket(connection)
    try:
        await socket.ask(connect={"token": person.token})
        yield socket
    finally:
        await socket.close()


async def watch(socket: Socket, box_id: str) -> tuple[Json, float]:
    """Begin to watch a box; what was answered, and after how many milliseconds."""
    began = time.perf_counter()
    answer = await socket.subscribe(f"box:{box_id}")
    return answer["data"], (time.perf_counter() - began) * 1e3
