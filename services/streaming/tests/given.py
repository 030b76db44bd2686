"""Makers of streams, viewers and sockets for the tests."""

import asyncio
import builtins
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text
from websockets.asyncio.client import ClientConnection, connect

from hazina import ids
from hazina.outbox import ConsumedEvent, Received
from hazina.pg import SERVICE, Database

V1 = "/streaming/v1"


class Somebody:
    """A user with an organisation and a login, who asks over HTTP."""

    def __init__(self, http: httpx.AsyncClient, token: Callable[..., str]) -> None:
        self.id, self.org_id, self.sid = ids.new(), ids.new(), ids.new()
        self._http, self._token = http, token

    def token(self, **more: Any) -> str:
        return self._token(self.id, self.org_id, session_id=self.sid, **more)

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token()}"}
        return await self._http.request(method, f"{V1}{path}", headers=headers, **more)

    async def get(self, path: str, **more: Any) -> Any:
        answer = await self.ask("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: object = None, *, expect: int = 200) -> Any:
        answer = await self.ask("POST", path, json={} if body is None else body)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    async def goes_live(self) -> tuple[str, str]:
        """Go live; give the ids of the stream and of its box."""
        stream = await self.post("/streams", {"title": "Cooking ugali"}, expect=201)
        live = await self.post(f"/streams/{stream['id']}/start")
        return live["id"], live["boxes"][0]["id"]


class Socket:
    """A Centrifuge client of few words."""

    def __init__(self, raw: ClientConnection) -> None:
        self.raw = raw
        self.pushes: list[dict[str, Any]] = []
        self._next = 0
        self.mute = False  # does not answer pings

    async def call(self, kind: str, **what: Any) -> dict[str, Any]:
        """Send a command; give its whole reply."""
        self._next += 1
        await self.raw.send(json.dumps({"id": self._next, kind: what}))
        while True:
            for message in await self._frame():
                if message.get("id") == self._next:
                    return message

    async def until(self, wanted: Callable[[dict[str, Any]], bool], within_s: float = 5) -> Any:
        """Wait for a push; give its data."""
        async with asyncio.timeout(within_s):
            while True:
                for push in self.pushes:
                    data = push.get("pub", {}).get("data", push)
                    if wanted(data):
                        self.pushes.remove(push)
                        return data
                await self._frame()

    async def listen(self, seconds: float) -> None:
        """Hear what is said for a while, answering pings."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self._frame()
        except TimeoutError:
            pass

    async def _frame(self) -> list[dict[str, Any]]:
        text = await self.raw.recv()
        found = [json.loads(line) for line in str(text).splitlines()]
        for message in found:
            if not message and not self.mute:
                await self.raw.send("{}")
            if "push" in message:
                self.pushes.append(message["push"])
        return [message for message in found if message and "push" not in message]


@asynccontextmanager
async def socket(address: str, token: str | None = None) -> AsyncIterator[Socket]:
    """Open a socket, connected as whoever `token` says."""
    url = f"ws://{address}{V1}/connection/websocket"
    async with connect(url, ping_interval=None, compression=None) as raw:
        made = Socket(raw)
        if token is not None:
            reply = await made.call("connect", token=token)
            assert "connect" in reply, reply
        yield made


def is_state(published: bool) -> Callable[[dict[str, Any]], bool]:
    """Recognise a publish state."""
    return lambda data: (
        data.get("type") in {"publish", "publish_state"} and (data.get("is_published") is published)
    )


async def told(db: Database, type: str) -> list[dict[str, Any]]:
    """Read what was told of one type, in order."""
    query = text("select payload from outbox where type = :type order by day, pos")
    async with db.reading(SERVICE) as tx:
        rows = (await tx.execute(query, {"type": type})).scalars()
        return [json.loads(bytes(row)) for row in rows]


async def rows(db: Database, query: str, **values: Any) -> list[Any]:
    """Read rows as the service sees them."""
    async with db.reading(SERVICE) as tx:
        return list((await tx.execute(text(query), values)).all())


async def run(db: Database, query: str, **values: Any) -> None:
    """Have the service run a statement."""
    async with db.transaction(SERVICE) as tx:
        await tx.execute(text(query), values)


async def eventually(check: Callable[[], Awaitable[bool]], within_s: float = 8) -> float:
    """Wait until something is so; give how many seconds that took."""
    began = time.monotonic()
    while not await check():
        assert time.monotonic() - began < within_s, "it did not become so"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def heard(
    app: FastAPI, db: Database, at: datetime, type: str, *facts: dict[str, Any]
) -> None:
    """Have the service hear facts of one type, as its listener hands them over."""
    handlers = {
        event.__type__: (event, handler)
        for source in app.state.service.sources
        for event, handler in source.handlers.items()
    }
    event, handler = handlers[type]
    await heard_by(handler, db, at, event, *facts)


async def heard_by(
    handler: Callable[..., Awaitable[None]],
    db: Database,
    at: datetime,
    event: builtins.type[ConsumedEvent],
    *facts: dict[str, Any],
) -> None:
    """Have one handler hear facts, as the listener hands them over."""
    told = [
        Received(
            event=event.model_validate(fact),
            id=ids.new(),
            type=event.__type__,
            source=event.__type__.split(".", maxsplit=1)[0],
            shard=0,
            seq=seq,
            key="key",
            key_version=None,
            time=at,
        )
        for seq, fact in enumerate(facts, 1)
    ]
    async with db.transaction(SERVICE) as tx:
        await handler(tx, told)
