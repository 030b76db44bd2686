"""What alpha says, what beta makes of it, and ways to wait."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit
from uuid import UUID
from zlib import crc32

from hazina import outbox
from hazina.outbox import ConsumedEvent, Event, Received, ledger
from hazina.outbox.ledger import Connection
from hazina.pg import SERVICE, Actor, Database, Transaction
from hazina.problems import Kind, Problem
from hazina.standard.databases import ServiceDatabase

Schemas: TypeAlias = tuple[ServiceDatabase, ...]  # of alpha and beta

AMINA = Actor(role="user", user_id=UUID(int=1))


class Said(Event, type="alpha.thing.said", version=1, key="key"):
    """A thing was said."""

    key: str
    n: int
    text: str = ""


class Sung(Event, type="alpha.thing.sung", version=2, key="key"):
    """A thing was sung; nobody listens."""

    key: str
    n: int


class Heard(ConsumedEvent, type="alpha.thing.said.v1"):
    """A thing that alpha said."""

    key: str
    n: int


class TooLoud(Problem, code="test.too_loud", kind=Kind.CONFLICT):
    """It was too loud to be heard."""


async def say(db: Database, *events: Event, actor: Actor = AMINA) -> list[UUID]:
    """Say `events` in one transaction."""
    async with db.transaction(actor) as tx:
        return await outbox.publish(tx, *events)


async def write(tx: Transaction, facts: Sequence[Received[Heard]]) -> None:
    """Write each fact down, in one statement."""
    await tx.exec_driver_sql(
        """insert into effect (event_id, key, n, seq, shard)
           select * from unnest(%(id)s::uuid[], %(key)s::text[], %(n)s::int[], %(seq)s::bigint[],
               %(shard)s::int[])""",
        {
            "id": [fact.id for fact in facts],
            "key": [fact.event.key for fact in facts],
            "n": [fact.event.n for fact in facts],
            "seq": [fact.seq for fact in facts],
            "shard": [fact.shard for fact in facts],
        },
    )


async def effects(db: Database) -> list[tuple[str, int]]:
    """What beta made of it, in order: (key, n)."""
    async with db.reading(SERVICE) as tx:
        rows = await tx.exec_driver_sql("select key, n from effect order by id")
        return [(row.key, row.n) for row in rows]


async def value(db: Database, statement: str, **asked: Any) -> Any:
    """The one value that `statement` gives."""
    async with db.reading(SERVICE) as tx:
        return (await tx.exec_driver_sql(statement, asked)).scalar_one()


def shard_of(key: str) -> int:
    """Where the facts of `key` are numbered, of four shards."""
    return crc32(key.encode()) % 4


def keys_of(shard: int, count: int) -> list[str]:
    """Different keys that share one shard."""
    found = (f"k{i}" for i in range(10_000) if shard_of(f"k{i}") == shard)
    return [next(found) for _ in range(count)]


class Work:
    """Relays and listeners that run until the test ends or stops them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def start(self, *workers: "outbox.Relay | outbox.Listener") -> asyncio.Event:
        """Run `workers`; the event that is given stops them."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(one.run(stop)) for one in workers]

        async def end() -> None:
            stop.set()
            async with asyncio.timeout(10):
                await asyncio.gather(*tasks)

        self._stack.push_async_callback(end)
        return stop


async def until(done: Callable[[], object], *, wait_s: float = 10) -> None:
    """Wait until `done` says so, or fail."""
    async with asyncio.timeout(wait_s):
        while True:
            found = done()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def raw(db: Database) -> AsyncIterator[Connection]:
    """A connection of one's own with rows of the service visible."""
    connection = await db.connect()
    await connection.execute("select set_config('app.role', 'service', false)")
    try:
        yield connection
    finally:
        await connection.close()


def payload(entry: ledger.Entry) -> dict[str, object]:
    """What an entry says."""
    said: dict[str, object] = json.loads(entry.payload)
    return said


@asynccontextmanager
async def ledger_over_http(db: Database, token: str = "") -> AsyncIterator[str]:
    """Serve GET /internal/outbox/{shard} from `db`, as the chassis does; gives the address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        basic = base64.b64encode(f"internal:{token}".encode()).decode()
        if token and f"authorization: basic {basic}\r\n".lower() not in head.lower():
            writer.write(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            url = urlsplit(head.split(" ")[1])
            asked = parse_qs(url.query)
            page = await outbox.read_ledger(
                db,
                int(url.path.rsplit("/", 1)[1]),
                after=int(asked["after"][0]),
                limit=int(asked["limit"][0]),
            )
            body = json.dumps(page).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n")
            writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://internal:{token}@{host}:{port}" if token else f"http://{host}:{port}"
