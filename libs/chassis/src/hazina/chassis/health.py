"""What a service says of itself: alive, ready, its numbers, its API, its ledger of facts."""

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from hazina.pg import SERVICE, migrations
from hazina.problems import Unavailable

if TYPE_CHECKING:
    from hazina.chassis.service import Service


def install(app: FastAPI, service: "Service") -> None:
    """Give `app` the addresses that every service has; none of them is part of its API."""
    head = Head(service.migrations)

    async def livez(request: Request) -> Response:
        dead = [name for name, task in request.app.state.tasks.items() if task.done()]
        return PlainTextResponse(f"dead: {dead}\n" if dead else "alive\n", 503 if dead else 200)

    async def readyz(request: Request) -> Response:
        if request.app.state.draining:
            return PlainTextResponse("stopping\n", 503)
        why = await trouble(service, head)
        return PlainTextResponse(f"{why or 'ready'}\n", 503 if why else 200)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def document(_: Request) -> Response:
        return JSONResponse(app.openapi())

    app.add_route("/livez", livez, include_in_schema=False)
    app.add_route("/readyz", readyz, include_in_schema=False)
    app.add_route("/metrics", metrics, include_in_schema=False)
    app.add_route("/openapi.json", document, include_in_schema=False)
    app.add_route(f"/{service.name}/v1/openapi.json", document, include_in_schema=False)


class Head:
    """The newest migration, read from the folder once."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._revision: str | None = None

    def revision(self) -> str | None:
        if self._revision is None:
            self._revision = migrations.head(self._tree)
        return self._revision


async def trouble(service: "Service", head: Head) -> str | None:
    """Say in a sentence why requests could not be served; the broker is no reason."""
    try:
        async with service.db.reading(SERVICE) as tx:
            found = (await tx.execute(text("select to_regclass('migration')"))).scalar()
            if found is None:
                return "the database is empty: run migrate"
            have = (await tx.execute(text("select version_num from migration"))).scalar()
    except Unavailable:
        return "the database does not answer"
    if have != head.revision():
        return f"the database is at migration {have}, this code needs {head.revision()}"
    return None
