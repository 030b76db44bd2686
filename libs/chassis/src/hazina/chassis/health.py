"""What a service says of itself: alive, ready, its numbers, its API, its ledger of facts."""

import hmac
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from hazina import outbox
from hazina.chassis.render import AddressUnknown, RequestMalformed
from hazina.chassis.wire import INT_MAX
from hazina.pg import SERVICE
from hazina.problems import Unavailable

if TYPE_CHECKING:
    from hazina.chassis.service import Service

LOOPBACK = frozenset({"127.0.0.1", "::1"})
SHARD_MAX = 15
FACTS_MAX = 1000


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

    async def facts(request: Request) -> Response:
        _require_internal(request, service)
        try:
            shard = int(request.path_params["shard"])
            after, limit = (
                int(request.query_params.get(n, d)) for n, d in (("after", 0), ("limit", 500))
            )
        except ValueError as bad:
            raise RequestMalformed("shard, after and limit are numbers") from bad
        if not (0 <= shard <= SHARD_MAX and 0 <= after <= INT_MAX and 1 <= limit <= FACTS_MAX):
            raise RequestMalformed("shard, after or limit is out of range")
        return JSONResponse(await outbox.read_ledger(service.db, shard, after, limit))

    app.add_route("/internal/outbox/{shard}", facts, include_in_schema=False)
    app.add_route("/livez", livez, include_in_schema=False)
    app.add_route("/readyz", readyz, include_in_schema=False)
    app.add_route("/metrics", metrics, include_in_schema=False)
    app.add_route("/openapi.json", document, include_in_schema=False)
    app.add_route(f"/{service.name}/v1/openapi.json", document, include_in_schema=False)


def _require_internal(request: Request, service: "Service") -> None:
    """Let through who shows the internal token, or while there is none, who is on this machine.

    The token travels as the password of HTTP Basic, so that an `internal_url` can carry it. To
    anybody else the address does not exist; the gateway never routes it either.
    """
    token = service.settings.internal_token
    if token is None:
        known = request.client is not None and request.client.host in LOOPBACK
    else:
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        try:
            password = b64decode(shown, validate=True).partition(b":")[2]
        except ValueError:
            password = b""
        wanted = token.get_secret_value().encode()
        known = scheme.lower() == "basic" and hmac.compare_digest(password, wanted)
    if not known:
        raise AddressUnknown


class Head:
    """The newest migration, read from the folder once."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._revision: str | None = None

    def revision(self) -> str | None:
        if self._revision is None:
            # Only now: Alembic costs a fifth of a second, and nobody waits for this answer.
            from hazina.pg import migrations  # noqa: PLC0415

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
