"""The pytest plugin: real servers, a database per worker, a clock to move, tokens to call with."""

import asyncio
from collections.abc import AsyncIterator, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from hazina.chassis import Service, asgi
from hazina.embedded import Nats
from hazina.pg import Database
from hazina.standard import databases, home
from hazina.standard.clock import MovableClock
from hazina.standard.databases import ServiceDatabase
from hazina.standard.servers import Servers, forget_streams
from hazina.standard.tokens import Mint, Signer
from hazina.standard.under_test import UnderTest

SERVERS = pytest.StashKey[Servers]()
ISSUER = "https://identity.hazina.local"
AUDIENCE = "hazina"


def pytest_configure(config: pytest.Config) -> None:
    """Have servers at hand, none started before a test asks for it; and stay on this machine."""
    config.stash[SERVERS] = Servers()
    home.stay()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let only tests with containers connect to anything beyond this machine."""
    with home.may_leave(allowed=item.get_closest_marker("compose") is not None):
        return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Start PostgreSQL once for all workers, and tell each where it is."""
    node.workerinput["hazina_postgres"] = node.config.stash[SERVERS].postgres().admin_dsn


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started."""
    config.stash[SERVERS].stop()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The loop that services run on."""
    return "asyncio"


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    """The name of this test process among those that share a server."""
    found: str = getattr(request.config, "workerinput", {}).get("workerid", "main")
    return found


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> str:
    """Where the superuser of the run's one PostgreSQL connects."""
    shared: str | None = getattr(request.config, "workerinput", {}).get("hazina_postgres")
    return shared or request.config.stash[SERVERS].postgres().admin_dsn


@pytest.fixture(scope="session")
def nats_server(request: pytest.FixtureRequest) -> Nats:
    """A broker of this worker's own: services of the same name must not share a stream."""
    found: Nats = request.config.stash[SERVERS].nats()
    return found


@pytest.fixture
def nats(nats_server: Nats) -> str:
    """Where an empty broker listens; its user may do everything."""
    # In a thread, because the loop of the test may be at work in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, forget_streams(nats_server.url)).result()
    return nats_server.url


@pytest.fixture(scope="session")
def signer() -> Signer:
    """Who signs this run's access tokens."""
    return Signer(ISSUER, AUDIENCE)


@pytest.fixture(scope="session")
def under_test() -> UnderTest:
    """Which service is tested; its own conftest says."""
    pytest.fail("the service's conftest.py must have a fixture `under_test`")


@pytest.fixture(scope="session")
def worker_databases() -> dict[str, ServiceDatabase]:
    """The databases this worker has prepared, by service."""
    return {}


@pytest.fixture
def worker_database(
    postgres: str,
    worker: str,
    under_test: UnderTest,
    worker_databases: dict[str, ServiceDatabase],
) -> ServiceDatabase:
    """The service's migrated database of this worker, with whatever the last test left in it."""
    # Not a session's fixture: pytest would keep one for all services that this process tests.
    if under_test.name not in worker_databases:
        worker_databases[under_test.name] = databases.prepare(
            postgres, under_test.name, under_test.migrations, worker
        )
    return worker_databases[under_test.name]


@pytest.fixture
def database(worker_database: ServiceDatabase) -> ServiceDatabase:
    """The service's database as its migrations left it."""
    worker_database.empty()
    return worker_database


@pytest.fixture
def clock() -> MovableClock:
    """The clock of the service under test."""
    return MovableClock()


@pytest.fixture
def settings(under_test: UnderTest, database: ServiceDatabase, signer: Signer) -> Any:
    """The settings of the service under test; nothing listens at its broker's address."""
    return under_test.configured(database, "nats://127.0.0.1:1", signer)


@pytest.fixture
async def db(database: ServiceDatabase) -> AsyncIterator[Database]:
    """The database as the service itself uses it."""
    opened = Database(database.url)
    yield opened
    await opened.close()


@pytest.fixture
def service(
    under_test: UnderTest, settings: Any, db: Database, clock: MovableClock, signer: Signer
) -> Service:
    """The service under test, put together as it will run."""
    return under_test.built(settings, db, clock, signer)


@pytest.fixture
async def app(service: Service) -> AsyncIterator[FastAPI]:
    """The application, started."""
    made = asgi(service)
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that talks to the application in this process."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


@pytest.fixture
def token(signer: Signer, clock: MovableClock) -> Mint:
    """Makes access tokens: `token(user_id, org_id, org_role="viewer", aal=2, …)`."""

    def mint(*who: Any, **more: Any) -> str:
        return signer.token(clock(), *who, **more)

    return mint


@pytest.fixture
def bearer(token: Mint) -> Any:
    """Makes headers: `await http.get(…, headers=bearer(user_id))`."""

    def headers(*who: Any, **more: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {token(*who, **more)}"}

    return headers
