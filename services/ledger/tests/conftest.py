"""A real PostgreSQL with the ledger's schema, fresh for every test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from hazina.embedded import Postgres
from hazina.pg import Database, migrations, roles
from ledger.posting.actions import Book

MIGRATIONS = Path(__file__).parents[1] / "migrations"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL of one's own, with a migrated template of the ledger's database."""
    server = Postgres(tmp_path_factory.mktemp("postgres"), durable=False)
    server.start()
    with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
        admin.execute("create database template")
    with psycopg.connect(
        server.dsn("postgres", server.password, "template"), autocommit=True
    ) as at:
        roles.ensure_service(at, "ledger", roles.Passwords("o", "a"))
    migrations.upgrade(MIGRATIONS, server.dsn("ledger_owner", "o", "template"))
    yield server
    server.stop()


@pytest.fixture
async def db(server: Postgres) -> AsyncIterator[Database]:
    """An empty ledger."""
    with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
        admin.execute("drop database if exists ledger with (force)")
        admin.execute("create database ledger template template")
    database = Database(server.dsn("ledger", "a", "ledger"))
    yield database
    await database.close()


@pytest.fixture
async def book(db: Database) -> AsyncIterator[Book]:
    """The book of an empty ledger."""
    book = Book(db, reconnect_within_s=5)
    yield book
    await book.close()
