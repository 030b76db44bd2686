"""The edge: one layer around the router that traces, measures, limits and says no."""

import logging
import re
import time
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from opentelemetry import context, trace
from opentelemetry.trace import Span, StatusCode
from prometheus_client import Histogram
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hazina.chassis import bodies, render, telemetry
from hazina.problems import Problem, Unavailable

logger = logging.getLogger("hazina.chassis")

REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
UNMEASURED = frozenset({"/livez", "/readyz", "/metrics"})
BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


# What a column cannot hold although its shape was right: a number out of range, text with NUL or
# outside UTF-8. A route should say its limits; where one does not, it is still the caller's doing.
UNSTORABLE = frozenset({"22003", "22021", "22P05"})
# Transactions in each other's way, of which PostgreSQL ended one: asking again is enough.
CROSSED = frozenset({"40001", "40P01", "55P03"})


class Edge:
    """Everything that happens to every request, once and in one place.

    The framework's own layers are left out: each costs a coroutine per request, and what they do
    is done here.
    """

    def __init__(self, app: FastAPI, service: str) -> None:
        self.router: ASGIApp = app.router
        self.service = service
        self._app = app
        self._seconds: dict[tuple[str, str, int], Histogram] = {}
        self._bulk: list[tuple[re.Pattern[str], int]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.router(scope, receive, send)
            return
        async with AsyncExitStack() as stack:
            scope["fastapi_middleware_astack"] = stack
            if scope["type"] == "http":
                await Exchange(self, scope, send).run(receive)
            else:
                await self.router(scope, receive, send)

    def seconds(self, method: str, route: str, status: int) -> Histogram:
        """Find the histogram of one kind of request; asking the library each time is slow."""
        known = self._seconds.get((method, route, status))
        if known is None:
            known = telemetry.REQUEST_SECONDS.labels(self.service, method, route, str(status))
            self._seconds[method, route, status] = known
        return known

    def limit(self, path: str) -> int:
        """Tell how many bytes a body sent to `path` may have."""
        if self._bulk is None:
            every: list[Any] = list(iter_route_contexts(self._app.routes))
            self._bulk = [
                (route.path_regex, most)
                for route in every
                if (most := getattr(route, "max_body_size", None)) is not None
            ]
        return next((most for at, most in self._bulk if at.match(path)), bodies.BODY_BYTES_MAX)

    def methods(self, path: str) -> list[str]:
        """List what may be done at `path`; each route of the framework knows only its own."""
        every: list[Any] = list(iter_route_contexts(self._app.routes))
        return sorted({m for route in every if route.path_regex.match(path) for m in route.methods})


class Exchange:
    """One request and its answer."""

    __slots__ = ("_send", "edge", "headers", "measured", "scope", "span", "status", "trace_id")

    def __init__(self, edge: Edge, scope: Scope, send: Send) -> None:
        self.edge = edge
        self.scope = scope
        self._send = send
        self.status = 0
        self.headers: dict[bytes, bytes] = dict(scope["headers"])

    async def run(self, receive: Receive) -> None:
        """Hand the request to the router and see to it that it is answered."""
        scope = self.scope
        began = time.perf_counter()
        self.measured = scope["path"] not in UNMEASURED
        self.span, caller = telemetry.span_of(self.headers, scope["method"], record=self.measured)
        self.trace_id = trace.format_trace_id(self.span.get_span_context().trace_id)
        token = context.attach(trace.set_span_in_context(self.span, caller))
        try:
            bodies.require_storable(scope)
            if scope["method"] not in BODILESS:
                receive = await self._look_over(receive)
            await self.edge.router(scope, receive, self.send)
        except bodies.ClientGone:
            self.status = 499
        except Exception as trouble:
            if self.status:
                raise  # too late to say no: the answer has begun
            answer = self._refusal(trouble)
            await answer(scope, receive, self.send)
        finally:
            context.detach(token)
            self._measure(time.perf_counter() - began)

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on, with the names by which the request can be found again."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            found = self.span.get_span_context()
            request_id = self.headers.get(b"x-request-id", b"")
            if not REQUEST_ID.fullmatch(request_id):
                request_id = self.trace_id.encode()
            parent = f"00-{self.trace_id}-{found.span_id:016x}-{found.trace_flags:02x}"
            message["headers"] = [
                *message["headers"],
                (b"x-request-id", request_id),
                (b"traceparent", parent.encode()),
            ]
        await self._send(message)

    async def _look_over(self, receive: Receive) -> Receive:
        limit = self.edge.limit(self.scope["path"])
        announced = self.headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit:
            raise render.BodyTooLarge(limit_bytes=limit)
        body = await bodies.read(receive, limit)
        if body:
            bodies.require_json(body, self.headers.get(b"content-type", b""))
        return bodies.again(body, receive)

    def _refusal(self, trouble: Exception) -> Response:
        instance = self.scope["path"]
        if isinstance(trouble, Problem):
            problem: Problem | None = trouble
        elif isinstance(trouble, HTTPException | RequestValidationError):
            problem = render.of_framework(trouble)
        elif isinstance(trouble, DataError) and _sqlstate(trouble) in UNSTORABLE:
            logger.warning("no column holds it", extra={"route": self.route()})
            problem = render.ValidationFailed("a number or a text is more than we can hold")
        elif _sqlstate(trouble) in CROSSED:
            logger.warning("two transactions crossed", extra={"route": self.route()})
            problem = Unavailable("too many at once")
        else:
            return self._bug(trouble)
        if problem is None:
            assert isinstance(trouble, HTTPException)
            if trouble.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
                trouble.headers = {"Allow": ", ".join(self.edge.methods(instance))}
            return render.plain(trouble, instance=instance, trace_id=self.trace_id)
        telemetry.REFUSALS.labels(self.edge.service, problem.code).inc()
        logger.info("refused", extra={"code": problem.code, "route": self.route()})
        return render.answer(problem, instance=instance, trace_id=self.trace_id)

    def _bug(self, trouble: Exception) -> Response:
        telemetry.BUGS.labels(self.edge.service).inc()
        self.span.record_exception(trouble)
        logger.error("bug", exc_info=trouble, extra={"route": self.route()})
        return render.bug(instance=self.scope["path"], trace_id=self.trace_id)

    def route(self) -> str:
        """Name the address as it is written in the API, so that ids do not multiply metrics."""
        found = self.scope.get("fastapi", {}).get("effective_route_context")
        route = found or self.scope.get("route")
        return getattr(route, "path_format", None) or getattr(route, "path", None) or "unknown"

    def _measure(self, seconds: float) -> None:
        scope, route = self.scope, self.route()
        if self.measured:
            self.edge.seconds(scope["method"], route, self.status).observe(seconds)
        if self.span.is_recording():
            _describe(self.span, scope["method"], route, self.status)
        self.span.end()


def _sqlstate(trouble: Exception) -> str | None:
    """Give PostgreSQL's own code of an error, whoever wrapped it."""
    return getattr(getattr(trouble, "orig", trouble), "sqlstate", None)


def _describe(span: Span, method: str, route: str, status: int) -> None:
    """Name the span as OpenTelemetry's conventions for HTTP servers say."""
    span.update_name(f"{method} {route}")
    span.set_attributes(
        {"http.request.method": method, "http.route": route, "http.response.status_code": status}
    )
    if status >= 500:  # noqa: PLR2004  RFC 9110: the server's fault
        span.set_status(StatusCode.ERROR)
