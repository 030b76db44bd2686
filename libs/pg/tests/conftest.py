"""A real PostgreSQL with one service's roles. This lib stands below `hazina.standard`."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import psycopg
import pytest

from hazina.embedded import Postgres
from hazina.pg import Database
from hazina.pg.roles import Passwords, ensure_service


@dataclass(frozen=True)
class House:
    """The server, and how the owner and the application of `ledger` reach it."""

    server: Postgres
    owner: str
    app: str


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server with the roles and schemas of ledger and billing."""
    with Postgres(tmp_path_factory.mktemp("pg"), durable=False) as server:
        with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
            for service in ("ledger", "billing"):
                ensure_service(admin, service, Passwords(owner="owner", app="app"))
        yield House(
            server,
            owner=server.dsn("ledger_owner", "owner", "postgres"),
            app=server.dsn("ledger", "app", "postgres"),
        )


@pytest.fixture
async def db(house: House) -> AsyncIterator[Database]:
    """The ledger's database, as its application sees it."""
    database = Database(house.app, pool_size=2)
    yield database
    await database.close()
