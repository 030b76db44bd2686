"""Two services with real databases and a real broker: alpha says, beta hears."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import nats as nats_client
import psycopg
import pytest
from nats.aio.client import Client

from hazina import outbox
from hazina.outbox import ledger
from hazina.outbox.ledger import Connection
from hazina.outbox.stream import Refused, Stream
from hazina.pg import Database
from hazina.standard import databases
from hazina.standard.databases import ServiceDatabase

from .given import Work

EFFECT = """
create table effect (id bigint generated always as identity, event_id uuid, key text, n int,
    source text default 'alpha', seq bigint, shard int);
create table aggregate (key text primary key, n int not null);
"""
FRESH = """
truncate outbox, outbox_window, outbox_scheduled, inbox_cursor, inbox_quarantine, effect, aggregate;
update outbox_shard set owner = null, epoch = 0, lease_until = null, published_seq = 0,
    stream_seq = 0, system_id = null, timeline = null, halted = null
"""


def _make(admin_dsn: str, service: str, worker: str) -> ServiceDatabase:
    made = databases.blank(admin_dsn, service, f"outbox_{service}_{worker}")
    with psycopg.connect(made.owner_url) as owner:
        owner.execute("select set_config('app.role', 'service', false)")
        owner.execute(outbox.create_sql())
        owner.execute(EFFECT)
    return made


@pytest.fixture(scope="session")
def both(postgres: str, worker: str) -> tuple[ServiceDatabase, ServiceDatabase]:
    """The databases of alpha and beta, with whatever the last test left in them."""
    return _make(postgres, "alpha", worker), _make(postgres, "beta", worker)


@pytest.fixture
def schemas(both: tuple[ServiceDatabase, ServiceDatabase]) -> tuple[ServiceDatabase, ...]:
    """The databases of alpha and beta, empty."""
    for one in both:
        with psycopg.connect(one.admin_url, autocommit=True) as admin:
            admin.execute(f"set search_path = {one.service}")
            admin.execute(FRESH)
    return both


@pytest.fixture
async def alpha(schemas: tuple[ServiceDatabase, ...]) -> AsyncIterator[Database]:
    """The database of the service that says."""
    db = Database(schemas[0].url)
    yield db
    await db.close()


@pytest.fixture
async def beta(schemas: tuple[ServiceDatabase, ...]) -> AsyncIterator[Database]:
    """The database of the service that hears."""
    db = Database(schemas[1].url)
    yield db
    await db.close()


@pytest.fixture
async def sequencer(alpha: Database) -> AsyncIterator[Connection]:
    """A connection as the relay of alpha opens it."""
    db = await alpha.connect()
    await db.execute(ledger.SETUP)
    yield db
    await db.close()


@pytest.fixture
async def broker(nats: str) -> AsyncIterator[Client]:
    """A connection of the operator to a broker without streams of ours."""
    client = await nats_client.connect(nats)
    for service in ("alpha", "beta"):
        try:
            await Stream(client, service).ask(f"STREAM.DELETE.EVT_{service.upper()}")
        except Refused:
            continue
    yield client
    await client.close()


@pytest.fixture
async def stream(broker: Client) -> Stream:
    """The stream of alpha, empty."""
    made = Stream(broker, "alpha")
    await made.ensure(4, 1)
    return made


@pytest.fixture
async def work(alpha: Database, beta: Database) -> AsyncIterator[Work]:
    """Starts relays and listeners, and stops them when the test ends, before their databases."""
    async with AsyncExitStack() as stack:
        yield Work(stack)
