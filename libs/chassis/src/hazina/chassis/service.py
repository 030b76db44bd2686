"""A service put together: its parts, and the application that serves them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy import MetaData
from starlette.requests import HTTPConnection

from hazina.auth import Keys, RemoteKeys, Revocations, Verifier
from hazina.chassis import health, openapi
from hazina.chassis.edge import Edge
from hazina.chassis.settings import ServiceSettings
from hazina.outbox import Source
from hazina.pg import Database

Clock = Callable[[], datetime]
Hook = Callable[[FastAPI], Awaitable[None]]


def wall_clock() -> datetime:
    """Tell the time; the only place that asks the machine for it."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Timer:
    """Work that is looked for every so often. `run` gives how many rows it worked off."""

    name: str
    every_s: float
    run: Callable[[Database, datetime], Awaitable[int]]


@dataclass(frozen=True, kw_only=True)
class Service:
    """Every part of a service; `<service>/app.py` is the only place that makes one."""

    name: str
    title: str
    settings: ServiceSettings
    db: Database
    migrations: Path
    metadata: MetaData
    clock: Clock = wall_clock
    routers: Sequence[APIRouter] = ()
    sources: Sequence[Source] = ()
    timers: Sequence[Timer] = ()
    on_start: Sequence[Hook] = ()  # with the role http, before the first request
    on_stop: Sequence[Hook] = ()
    keys: Keys | None = None  # what tokens are checked with; else fetched from `jwks_url`
    state: dict[str, Any] = field(default_factory=dict)  # more of `request.app.state`


def _db(connection: HTTPConnection) -> Database:
    db = connection.app.state.db
    assert isinstance(db, Database)
    return db


def _now(connection: HTTPConnection) -> datetime:
    now = connection.app.state.clock()
    assert isinstance(now, datetime)
    return now


Db = Annotated[Database, Depends(_db)]
Now = Annotated[datetime, Depends(_now)]


class Application(FastAPI):
    """A FastAPI application whose layers are the edge alone, and whose document is ours."""

    service: Service

    def build_middleware_stack(self) -> Edge:
        return Edge(self, self.service.name)

    def openapi(self) -> dict[str, Any]:
        return openapi.describe(self)


def asgi(service: Service, *, api: bool = True) -> FastAPI:
    """Make the application of `service`; without `api` it answers for its health only."""
    app = Application(
        title=service.title,
        version="1",
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # the edge tells it all
        lifespan=_lifespan,
    )
    app.service = service
    app.state.service = service
    app.state.db = service.db
    app.state.clock = service.clock
    app.state.settings = service.settings
    app.state.verifier = verifier(service)
    app.state.draining = False
    app.state.api = api
    app.state.api = api  # for hooks: whether callers come to this process
    app.state.tasks = {}
    for name, value in service.state.items():
        setattr(app.state, name, value)
    health.install(app, service)
    if api:
        for router in service.routers:
            app.include_router(router)
    return app


def verifier(service: Service) -> Verifier:
    """Make what checks the tokens that callers of `service` show."""
    settings = service.settings
    return Verifier(
        issuer=settings.issuer,
        audience=settings.audience,
        keys=service.keys or RemoteKeys(settings.jwks_url),
        clock=service.clock,
        revocations=Revocations(service.db),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run the service's hooks, where its requests are answered and nowhere else."""
    service: Service = app.state.service
    for start in service.on_start if app.state.api else ():
        await start(app)
    yield
    for stop in service.on_stop if app.state.api else ():
        await stop(app)
    await app.state.verifier.close()
