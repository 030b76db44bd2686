"""Traces: received as OTLP, kept for an hour, drawn with their waits."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator

import httpx
import psycopg
import pytest
from rich.console import Console

from hazina.embedded import Postgres
from hazina_local.dev import Development
from hazina_local.mail import Mailbox
from hazina_local.traces import store as stores
from hazina_local.traces import terminal
from hazina_local.traces.span import MalformedSpans, Span, decode
from hazina_local.traces.store import Store, list_recent, read_trace
from hazina_local.traces.waterfall import waterfall

from .given import TRACE, export, gift, span

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL of this module's own."""
    with Postgres(tmp_path_factory.mktemp("traces") / "pg", durable=False) as running:
        yield running


@pytest.fixture
async def dsn(server: Postgres) -> str:
    """Where traces are kept; empty."""
    async with await stores.connect(server.admin_dsn) as connection:
        await connection.execute(stores.TABLE)
        await connection.execute("truncate span")
    return server.admin_dsn


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[Store]:
    """A store that keeps what it is given."""
    made = Store(dsn)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def kept(dsn: str, count: int, trace_id: str = TRACE) -> int:
    """How many spans of a trace are kept, once there are `count`."""
    for _ in range(100):
        if len(await read_trace(dsn, trace_id)) >= count:
            break
        await asyncio.sleep(0.02)
    return len(await read_trace(dsn, trace_id))


class TestDecode:
    @pytest.mark.parametrize("encoding", ["", "gzip"])
    def test_reads_what_was_sent(self, encoding: str) -> None:
        sent = [*gift(), span(9, "broken", failed=True, kind="client")]
        body = export(sent)

        read = decode(gzip.compress(body) if encoding else body, encoding=encoding)

        assert read == sent

    @pytest.mark.parametrize(("body", "encoding"), [(b"\xff\xff\xff", ""), (b"plain", "gzip")])
    def test_refuses_what_is_no_export(self, body: bytes, encoding: str) -> None:
        with pytest.raises(MalformedSpans):
            decode(body, encoding=encoding)


class TestTitle:
    def test_is_the_request_where_the_name_says_nothing(self) -> None:
        url = "http://127.0.0.1:8080/ledger/v1/gifts?limit=2"
        ingress = span(1, "ingress", service="gateway", http__method="POST", http__url=url)

        assert ingress.title == "POST /ledger/v1/gifts"
        assert span(1, "ingress").title == "ingress"
        assert span(1, "work", http__url=url).title == "work"


class TestWaterfall:
    def test_hangs_spans_below_the_nearest_one_shown(self) -> None:
        drawn = waterfall(gift())

        assert [(row.span.name, row.depth) for row in drawn.rows] == [
            ("POST /ledger/v1/gifts", 0),
            ("POST /ledger/v1/gifts", 1),
            ("publish ledger.gift.sent", 2),
            ("ledger.gift.sent.v1", 3),
        ]
        assert drawn.total_ms == 20

    def test_shows_every_span_when_asked(self) -> None:
        assert [row.depth for row in waterfall(gift(), quiet=False).rows] == [0, 1, 2, 3, 4]

    def test_shows_a_quiet_span_that_failed(self) -> None:
        drawn = waterfall([span(1), span(2, "transaction", parent=1, kind="internal", failed=True)])

        assert [row.span.name for row in drawn.rows] == ["work", "transaction"]

    def test_lays_the_waits_end_to_end_before_the_work(self) -> None:
        waits = waterfall(gift()).rows[-1].waits

        assert [(wait.name, wait.start_ms, wait.duration_ms) for wait in waits] == [
            ("outbox", 8, 4),
            ("broker", 12, 2),
            ("inbox", 14, 3),
        ]

    @pytest.mark.parametrize(
        "spans",
        [
            [],
            [span(1, parent=99)],
            [span(1, parent=2, kind="internal"), span(2, parent=1, kind="internal")],
            [span(1, parent=2), span(2, parent=2)],
        ],
        ids=["none", "an orphan", "a circle", "its own parent"],
    )
    def test_bears_whatever_it_is_sent(self, spans: list[Span]) -> None:
        assert len(waterfall(spans).rows) <= len(spans)


class TestStore:
    async def test_keeps_what_it_is_given_once(self, store: Store, dsn: str) -> None:
        store.add(gift())
        store.add(gift())

        assert await kept(dsn, 5) == 5
        assert (await read_trace(dsn, TRACE[:6])) == gift()

    async def test_knows_nothing_of_other_traces(self, store: Store, dsn: str) -> None:
        store.add(gift())
        await kept(dsn, 5)

        assert await read_trace(dsn, "0af8") == []

    async def test_goes_on_when_postgres_was_away(
        self, store: Store, dsn: str, server: Postgres
    ) -> None:
        store.add(gift()[:2])
        await kept(dsn, 2)

        server.kill()
        store.add(gift())
        await asyncio.to_thread(server.start)
        await asyncio.sleep(1.5)

        async with await stores.connect(dsn) as connection:
            found = await (await connection.execute("select count(*) from span")).fetchone()
        assert found == (5,)

    async def test_forgets_after_an_hour(self, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stores, "SWEEP_S", 0.3)
        forgetful = Store(dsn)
        running = asyncio.create_task(forgetful.run())
        forgetful.add(gift())
        await kept(dsn, 5)

        async with await stores.connect(dsn) as connection:
            await connection.execute(
                """update span set received_at = now() - interval '61 minutes'
                   where name <> 'transaction'"""
            )
        await asyncio.sleep(1)

        left = await read_trace(dsn, TRACE)
        assert [one.name for one in left] == ["transaction"]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


class TestListRecent:
    async def test_names_a_trace_by_its_first_span(self, store: Store, dsn: str) -> None:
        lonely = span(7, "sweep", kind="internal", trace_id="f" * 32)
        store.add([*gift(), lonely])
        await kept(dsn, 1, "f" * 32)

        (found,) = await list_recent(dsn, services_min=2)

        assert (found.trace_id, found.first_service) == (TRACE, "gateway")
        assert found.first_name == "POST /ledger/v1/gifts"
        assert (found.services, found.spans, found.took_ms) == (3, 5, 20)
        assert len(await list_recent(dsn)) == 2


class TestTerminal:
    def test_draws_waits_before_the_work(self) -> None:
        console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115

        console.print(terminal.draw(TRACE, waterfall(gift())))

        lines = console.export_text().splitlines()
        console.file.close()
        (heard,) = [line for line in lines if "streaming" in line]
        assert "outbox 4.0 broker 2.0 inbox 3.0" in heard
        assert heard.index("░") < heard.index("▒") < heard.index("█")


class TestPages:
    @pytest.fixture
    async def http(self, store: Store, dsn: str) -> AsyncIterator[httpx.AsyncClient]:
        """The laptop's pages."""
        app = Development(Mailbox(), store, dsn).app()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://dev"
        ) as client:
            yield client

    async def test_show_a_trace_that_was_posted(self, http: httpx.AsyncClient, dsn: str) -> None:
        hostile = span(8, "<script>alert(1)</script>", parent=1, service="<b>")

        answer = await http.post("/v1/traces", content=export([*gift(), hostile]))
        await kept(dsn, 6)

        assert answer.status_code == 200
        assert TRACE in (await http.get("/_dev/traces")).text
        page = (await http.get(f"/_dev/traces/{TRACE}")).text
        assert "outbox&nbsp;4.0" in page
        assert "<script>" not in page
        assert "&lt;script&gt;" in page

    async def test_give_a_trace_to_programs(self, http: httpx.AsyncClient, dsn: str) -> None:
        await http.post("/v1/traces", content=export(gift()))
        await kept(dsn, 5)

        found = (await http.get(f"/_dev/traces/{TRACE}?format=json")).json()

        assert found["rows"][-1]["waits"] == {"outbox": 4.0, "broker": 2.0, "inbox": 3.0}

    async def test_refuse_what_is_no_export(self, http: httpx.AsyncClient) -> None:
        assert (await http.post("/v1/traces", content=b"\xff\xff")).status_code == 400

    @pytest.mark.parametrize("path", ["/_dev/traces/ffff", "/_dev/mail/9"])
    async def test_say_that_it_is_unknown(self, http: httpx.AsyncClient, path: str) -> None:
        assert (await http.get(path)).status_code == 404


def test_a_dsn_is_needed_only_when_running() -> None:
    Store("postgresql://nobody@127.0.0.1:1/none").add(gift())

    with pytest.raises(psycopg.OperationalError):
        asyncio.run(read_trace("postgresql://nobody@127.0.0.1:1/none", TRACE))
