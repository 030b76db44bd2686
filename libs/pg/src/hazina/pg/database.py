"""A service's own database. The only ways in are `transaction()` and `reading()`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from opentelemetry import trace
from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from hazina.problems import Unavailable

Transaction: TypeAlias = AsyncConnection

tracer = trace.get_tracer("hazina.pg")

POOL_SIZE = 10  # connections a process keeps
POOL_OVERFLOW = 10  # more of them under load
POOL_WAIT_S = 5  # how long a request waits for one before it is told 503
# One statement, so that it travels in the same round trip as BEGIN.
SET_ACTOR = """select set_config('app.user_id', %s, true), set_config('app.org_id', %s, true),
                      set_config('app.role', %s, true)"""


@dataclass(frozen=True, slots=True)
class Actor:
    """For whom a transaction runs: what row-level security sees. Nobody, unless said."""

    role: str = ""  # "", user, admin, super_admin or service
    user_id: UUID | None = None
    org_id: UUID | None = None


SERVICE = Actor(role="service")  # the service itself: reactions, timers, and rows of many people


class Database:
    """A service's own PostgreSQL.

    Trouble with the server (refused, lost, pool exhausted) is raised as `Unavailable`; whether a
    commit that lost its connection took place is unknown, so what moves money carries a key.
    """

    def __init__(self, url: str, *, pool_size: int = POOL_SIZE) -> None:
        """Take a `postgresql://` URL; nothing is connected yet."""
        self.url: URL = make_url(url).set(drivername="postgresql+psycopg")
        self._engine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=POOL_OVERFLOW,
            pool_timeout=POOL_WAIT_S,
            connect_args={"connect_timeout": 5},
            hide_parameters=True,  # they may be personal, and errors end in logs
        )

    @asynccontextmanager
    async def transaction(self, actor: Actor = Actor()) -> AsyncIterator[Transaction]:
        """Commit when the block ends, roll back when it raises. Rows seen are those of `actor`."""
        async with self._open(actor, readonly=False) as tx:
            yield tx

    @asynccontextmanager
    async def reading(self, actor: Actor = Actor()) -> AsyncIterator[Transaction]:
        """Read as `actor`; PostgreSQL refuses any write."""
        async with self._open(actor, readonly=True) as tx:
            yield tx

    async def connect(self) -> "psycopg.AsyncConnection[tuple[object, ...]]":
        """Open a connection of one's own, in autocommit mode: for hot paths and long loops."""
        try:
            return await psycopg.AsyncConnection.connect(self.dsn, autocommit=True)
        except psycopg.OperationalError as trouble:
            raise Unavailable("the database does not answer") from trouble

    @property
    def dsn(self) -> str:
        """The URL as psycopg reads it, with its password."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    async def close(self) -> None:
        """Close the pool; transactions still open are cut off."""
        await self._engine.dispose()

    @asynccontextmanager
    async def _open(self, actor: Actor, *, readonly: bool) -> AsyncIterator[Transaction]:
        with tracer.start_as_current_span("transaction", attributes={"db.readonly": readonly}):
            try:
                tx = await self._begin(actor, readonly=readonly)
                try:
                    yield tx
                    await tx.commit()
                except BaseException:
                    with suppress(DBAPIError):
                        await asyncio.shield(tx.rollback())
                    raise
                finally:
                    await asyncio.shield(tx.close())
            except (OperationalError, InterfaceError, PoolTimeoutError) as trouble:
                if _is_trouble(trouble):
                    raise Unavailable("the database does not answer") from trouble
                raise
        for call in _after_commit.get(tx, ()):
            call()

    async def _begin(self, actor: Actor, *, readonly: bool) -> Transaction:
        """Open a connection and tell PostgreSQL who is asking, in one round trip.

        A pooled connection may have died with a restarted server. Nothing was done in it yet, so
        the whole opening is tried a second time on a fresh one.
        """
        try:
            return await self._begin_once(actor, readonly=readonly)
        except (psycopg.OperationalError, OperationalError, InterfaceError):
            return await self._begin_once(actor, readonly=readonly)

    async def _begin_once(self, actor: Actor, *, readonly: bool) -> Transaction:
        tx = await self._engine.connect()
        try:
            if readonly:
                tx = await tx.execution_options(postgresql_readonly=True)
            await tx.begin()
            raw = (await tx.get_raw_connection()).driver_connection
            assert isinstance(raw, psycopg.AsyncConnection)
            values = (str(actor.user_id or ""), str(actor.org_id or ""), actor.role)
            async with raw.pipeline():
                await raw.execute(SET_ACTOR, values)
        except BaseException as trouble:
            if isinstance(trouble, psycopg.OperationalError):
                await self._engine.dispose()  # the server went away: so did the pool's other ones
            await asyncio.shield(tx.invalidate(trouble if isinstance(trouble, Exception) else None))
            await asyncio.shield(tx.close())
            raise
        return tx


_after_commit: WeakKeyDictionary[Transaction, list[Callable[[], None]]] = WeakKeyDictionary()


def after_commit(tx: Transaction, call: Callable[[], None]) -> None:
    """Have `call` run once `tx` has committed, and never if it rolls back. It must not block."""
    _after_commit.setdefault(tx, []).append(call)


def _is_trouble(error: Exception) -> bool:
    """Tell a server that does not answer from a statement that it refused."""
    if isinstance(error, PoolTimeoutError):
        return True
    cause = getattr(error, "orig", None)
    # 57P0x: shutting down, crashed, starting up; 53xxx: out of connections, disk or memory;
    # 08xxx: connection lost. A refusal such as a lock timeout (55P03) is the caller's business.
    state = getattr(cause, "sqlstate", None)
    return state is None or state[:2] in {"08", "53"} or state.startswith("57P")
