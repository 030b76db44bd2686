import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from hazina.chassis import Service, asgi
from hazina.chassis.run import listen, server
from hazina.standard import Mint, UnderTest
from streaming.app import build
from streaming.settings import Settings

from .given import Somebody

# Silence and linger are told in seconds; here they are short, so that a test can wait for them.
QUICK = {
    "ping_every_s": 1.5,
    "pong_wait_s": 1.2,
    "stale_after_s": 4.0,
    "closing_s": 1.5,
    "linger_s": 1.0,
    "warming_s": 0.0,
    "warming_max_s": 0.0,
}


@pytest.fixture(scope="session")
def under_test() -> UnderTest:
    """Streaming, with short patience."""
    return UnderTest("streaming", Settings, build, more=QUICK)


@pytest.fixture
async def served(service: Service) -> AsyncIterator[FastAPI]:
    """The application behind a real uvicorn on loopback; `state.address` says where."""
    app = asgi(service)
    serving = server(service, app)
    with listen("streaming", "127.0.0.1", 0) as taken:
        task = asyncio.create_task(serving.serve(sockets=[taken]))
        while not serving.started:
            assert not task.done(), "the service did not start"
            await asyncio.sleep(0.01)
        host, port = taken.getsockname()[:2]
        app.state.address = f"{host}:{port}"
        yield app
        serving.should_exit = True
        await task


@pytest.fixture
async def web(served: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that talks to `served` over HTTP."""
    async with httpx.AsyncClient(base_url=f"http://{served.state.address}") as client:
        yield client


@pytest.fixture
def juma(http: httpx.AsyncClient, token: Mint) -> Somebody:
    """A host."""
    return Somebody(http, token)


@pytest.fixture
def amina(http: httpx.AsyncClient, token: Mint) -> Somebody:
    """Somebody who watches."""
    return Somebody(http, token)


@pytest.fixture
def neema(http: httpx.AsyncClient, token: Mint) -> Somebody:
    """Somebody else."""
    return Somebody(http, token)
