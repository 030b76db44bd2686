"""What only a laptop has: where spans arrive, and pages that show traces and mails."""

import asyncio
import contextlib
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from hazina_local import pages
from hazina_local.mail import Mailbox, as_json
from hazina_local.traces.span import MalformedSpans, decode
from hazina_local.traces.store import Store, list_recent, read_trace
from hazina_local.traces.waterfall import as_rows, waterfall

BODY_MAX_BYTES = 16 << 20
SHOWN_MAX = 200


async def serve(traces_dsn: str, *, port: int, smtp_port: int) -> None:
    """Receive spans and mails on 127.0.0.1 and show them, until cancelled."""
    mailbox, store = Mailbox(), Store(traces_dsn)
    loop = asyncio.get_running_loop()
    smtp = await loop.create_server(mailbox.protocol, "127.0.0.1", smtp_port)
    config = uvicorn.Config(
        Development(mailbox, store, traces_dsn).app(),
        host="127.0.0.1",
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
    )
    keeping = asyncio.create_task(store.run())
    try:
        await _Quiet(config).serve()
    finally:
        keeping.cancel()
        smtp.close()


class _Quiet(uvicorn.Server):
    """A server that leaves signals to the house."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Development:
    """The receiver and the pages, over one mailbox and one store of spans."""

    def __init__(self, mailbox: Mailbox, store: Store, traces_dsn: str) -> None:
        """Take what is shown."""
        self._mailbox = mailbox
        self._store = store
        self._dsn = traces_dsn

    def app(self) -> Starlette:
        """Give each its address."""
        return Starlette(
            routes=[
                Route("/v1/traces", self.receive, methods=["POST"]),
                Route("/_dev", self.home),
                Route("/_dev/traces", self.traces),
                Route("/_dev/traces/{trace_id:str}", self.trace),
                Route("/_dev/mail", self.mails),
                Route("/_dev/mail/{number:int}", self.mail),
            ]
        )

    async def receive(self, request: Request) -> Response:
        """Take an OTLP/HTTP protobuf export."""
        body = await request.body()
        if len(body) > BODY_MAX_BYTES:
            return Response(status_code=413)
        try:
            spans = decode(body, encoding=request.headers.get("content-encoding", ""))
        except MalformedSpans as bad:
            return Response(f"not an OTLP export: {bad}", status_code=400)
        self._store.add(spans)
        return Response(b"", media_type="application/x-protobuf")

    async def home(self, _: Request) -> Response:
        """Show what there is."""
        links = '<p><a href="/_dev/traces">traces</a> · <a href="/_dev/mail">mail</a></p>'
        return HTMLResponse(pages.page("Development", links))

    async def traces(self, request: Request) -> Response:
        """List traces of the last hour; those of one service only with `?all`."""
        several = 1 if "all" in request.query_params else 2
        found = await list_recent(self._dsn, limit=SHOWN_MAX, services_min=several)
        return HTMLResponse(pages.traces(found))

    async def trace(self, request: Request) -> Response:
        """Draw one trace; its inner steps only with `?all`."""
        spans = await read_trace(self._dsn, request.path_params["trace_id"])
        if not spans:
            return HTMLResponse(pages.page("Unknown", "<p>No such trace.</p>"), 404)
        quiet = "all" not in request.query_params
        drawn = waterfall(spans, quiet=quiet)
        if request.query_params.get("format") == "json":
            return JSONResponse(as_rows(drawn))
        return HTMLResponse(pages.trace(spans[0].trace_id, drawn))

    async def mails(self, request: Request) -> Response:
        """List mails, newest first; `?to=` filters, `?format=json` is for programs."""
        found = self._mailbox.newest(request.query_params.get("to", ""))
        if request.query_params.get("format") == "json":
            return JSONResponse({"data": [as_json(mail) for mail in found]})
        return HTMLResponse(pages.mails(found))

    async def mail(self, request: Request) -> Response:
        """Show one mail."""
        found = self._mailbox.find(request.path_params["number"])
        if found is None:
            return HTMLResponse(pages.page("Unknown", "<p>No such mail.</p>"), 404)
        return HTMLResponse(pages.mail(found))
