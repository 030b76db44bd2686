"""Traces and metrics: who called whom, and how long it took."""

import os
import random
from collections.abc import Callable
from contextlib import suppress

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagate import extract
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags
from prometheus_client import Counter, Histogram

tracer = trace.get_tracer("hazina.chassis")

REQUEST_SECONDS = Histogram(
    "hazina_http_request_seconds",
    "How long a request took, by the address as it is written in the API.",
    ["service", "method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REFUSALS = Counter("hazina_http_refusals_total", "Requests refused, by code.", ["service", "code"])
BUGS = Counter("hazina_http_bugs_total", "Requests that ended in an unexpected error.", ["service"])
TIMER_RUNS = Counter(
    "hazina_timer_runs_total",
    "Runs of a timer, by how they ended.",
    ["service", "timer", "outcome"],
)
TIMER_ROWS = Counter("hazina_timer_rows_total", "What timers worked off.", ["service", "timer"])


def start(service: str) -> Callable[[], None]:
    """Send spans where OTEL_EXPORTER_OTLP_ENDPOINT says, if it says; return how to flush them."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return lambda: None
    # Imported only here: they cost a tenth of a second of every start.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=500))
    trace.set_tracer_provider(provider)

    def stop() -> None:
        with suppress(Exception):  # a collector that is away must not hold up a stop
            provider.shutdown()

    return stop


def span_of(
    headers: dict[bytes, bytes], method: str, *, record: bool
) -> tuple[Span, Context | None]:
    """Begin the span of a request, below the caller's if it names one.

    Without an exporter, or when not to `record`, the span is never sent, but still has a trace
    id of its own or its caller's, so that answers, logs and events carry one.
    """
    caller: Context | None = None
    if b"traceparent" in headers:
        names = ("traceparent", "tracestate", "baggage")
        found = {n: headers[n.encode()].decode("latin-1") for n in names if n.encode() in headers}
        caller = extract(found)
    if record:
        span = tracer.start_span(method, caller, kind=SpanKind.SERVER)
        if span.is_recording():
            return span, caller
    above = trace.get_current_span(caller).get_span_context()
    bare = SpanContext(
        above.trace_id or random.getrandbits(128) or 1,
        random.getrandbits(64) or 1,
        is_remote=False,
        trace_flags=above.trace_flags if above.is_valid else TraceFlags(0),
    )
    return NonRecordingSpan(bare), caller
