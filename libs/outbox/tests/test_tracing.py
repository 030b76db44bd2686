import asyncio
from collections.abc import Sequence

import pytest
from nats.aio.client import Client
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from hazina import outbox
from hazina.outbox import Event, Listener, Received, Relay, Source, tracing
from hazina.pg import Database, Transaction

from .given import Heard, Said, Work, say, until, value

pytestmark = pytest.mark.anyio


class Echoed(Event, type="beta.echo.made", version=1, key="key"):
    """Beta made an echo."""

    key: str


async def echo(tx: Transaction, facts: Sequence[Received[Heard]]) -> None:
    for fact in facts:
        await outbox.publish(tx, Echoed(key=fact.key), cause=fact)


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """Everything that is spanned from now on."""
    exporter = InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    """The spans of one name that ended."""
    return [span for span in spans.get_finished_spans() if span.name == name]


@pytest.fixture
async def heard(  # noqa: PLR0917  fixtures
    alpha: Database,
    beta: Database,
    nats: str,
    broker: Client,
    work: Work,
    spans: InMemorySpanExporter,
) -> str:
    """A fact said inside a request and answered by beta; gives the trace of the request."""
    source = Source("alpha", {Heard: echo})
    await work.start(Relay(alpha, nats, "alpha"), Listener(beta, nats, "beta", [source]))
    with trace.get_tracer("test").start_as_current_span("request") as request:
        token = context.attach(baggage.set_baggage("org_id", "o1"))
        context.attach(baggage.set_baggage("password", "hunter2"))
        await say(alpha, Said(key="k", n=1))
        context.detach(token)
    await until(lambda: value(beta, "select count(*) = 1 from outbox"))
    await until(lambda: named(spans, "apply evt.alpha.1"))
    return f"{request.get_span_context().trace_id:032x}"


class TestOneTrace:
    async def test_holds_the_request_the_fact_and_what_was_made_of_it(
        self, heard: str, spans: InMemorySpanExporter
    ) -> None:
        (request,) = named(spans, "request")
        (created,) = named(spans, "create alpha.thing.said")
        (processed,) = named(spans, "process alpha.thing.said.v1")
        (echoed,) = named(spans, "create beta.echo.made")

        assert created.kind is SpanKind.PRODUCER
        assert processed.kind is SpanKind.CONSUMER
        assert processed.parent
        assert processed.parent.span_id == created.context.span_id
        assert {
            f"{span.context.trace_id:032x}" for span in (request, created, processed, echoed)
        } == {heard}

    async def test_tells_where_the_fact_waited(
        self, heard: str, spans: InMemorySpanExporter
    ) -> None:
        (processed,) = named(spans, "process alpha.thing.said.v1")

        told = dict(processed.attributes or {})
        waits = [told[f"hazina.{name}_ms"] for name in ("outbox_wait", "broker", "inbox_wait")]
        e2e = told["hazina.e2e_ms"]
        assert isinstance(e2e, float)
        for wait in waits:
            assert isinstance(wait, float)
            assert 0 <= wait <= e2e
        assert told["messaging.consumer.group.name"] == "beta"

    async def test_is_linked_to_the_batches_it_travelled_in(
        self, heard: str, spans: InMemorySpanExporter
    ) -> None:
        (created,) = named(spans, "create alpha.thing.said")
        (processed,) = named(spans, "process alpha.thing.said.v1")
        (sent,) = named(spans, "send evt.alpha.1")
        (applied,) = named(spans, "apply evt.alpha.1")

        assert sent.kind is SpanKind.CLIENT
        for batch in (sent, applied):
            assert [link.context.span_id for link in batch.links] == [created.context.span_id]
        assert [link.context.span_id for link in processed.links] == [applied.context.span_id]

    async def test_carries_no_baggage_that_is_not_allowed(
        self, heard: str, alpha: Database, spans: InMemorySpanExporter
    ) -> None:
        assert await value(alpha, "select headers ->> 'baggage' from outbox") == "org_id=o1"

    async def test_is_not_littered_with_what_runs_every_second(
        self, heard: str, spans: InMemorySpanExporter
    ) -> None:
        await asyncio.sleep(1.2)  # leases are renewed, cursors are looked at

        strangers = [
            span.name
            for span in spans.get_finished_spans()
            if f"{span.context.trace_id:032x}" != heard and not span.parent
        ]
        assert sorted(set(strangers) - {"transaction"}) == ["apply evt.alpha.1", "send evt.alpha.1"]
        # The test itself reads beta's tables; what remains belongs to nobody.
        assert not [
            span
            for span in named(spans, "transaction")
            if not span.parent and not (span.attributes or {}).get("db.readonly")
        ]


class TestManyRequestsInOneTransaction:
    async def test_keep_each_its_own_trace(
        self, alpha: Database, spans: InMemorySpanExporter
    ) -> None:
        tracer = trace.get_tracer("test")
        contexts = [trace.set_span_in_context(tracer.start_span(f"request {n}")) for n in range(2)]

        async with alpha.transaction() as tx:
            await outbox.publish(tx, Said(key="k", n=1), Said(key="k", n=2), contexts=contexts)

        told = "select array_agg(headers ->> 'traceparent' order by pos) from outbox"
        assert [parent.split("-")[1] for parent in await value(alpha, told)] == [
            f"{trace.get_current_span(one).get_span_context().trace_id:032x}" for one in contexts
        ]


class TestContext:
    @pytest.mark.parametrize(("flags", "kept"), [("00", False), ("01", True), ("03", True)])
    def test_is_read_where_the_trace_is_kept(self, flags: str, kept: bool) -> None:
        headers = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-{flags}"}

        found = tracing.context(headers)

        assert (found is not None) is kept
        if found is not None:
            assert trace.get_current_span(found).get_span_context().span_id == int("b" * 16, 16)

    @pytest.mark.parametrize("headers", [{}, {"traceparent": ""}, {"traceparent": "nonsense-zz"}])
    def test_is_none_for_nonsense(self, headers: dict[str, str]) -> None:
        assert tracing.context(headers) is None
