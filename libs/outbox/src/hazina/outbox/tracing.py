"""One trace from the request that made a fact true to the last service that heard of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from secrets import randbits
from time import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

from opentelemetry import baggage, trace
from opentelemetry import context as otel
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:  # they use this module
    from hazina.outbox.events import Received
    from hazina.outbox.inbox import Place
    from hazina.outbox.subscription import Message

tracer = trace.get_tracer("hazina.outbox")
_w3c = TraceContextTextMapPropagator()

BAGGAGE_ALLOWED = ("org_id",)  # what may travel with a fact; anything else stays in its service
APPLY = "hazina.outbox.apply"  # under which the apply span is found, below pg's transaction span
LINKS_MAX = 128
SAMPLED = 1  # the bit of a traceparent's flags that says its spans are kept


def created(type: str, id: UUID, parent: Context | None) -> dict[str, str]:
    """Make the PRODUCER span of a fact and give its context as headers."""
    attributes = {
        "messaging.system": "nats",
        "messaging.operation.type": "create",
        "messaging.destination.name": type,
        "messaging.message.id": str(id),
    }
    with tracer.start_as_current_span(
        f"create {type}", context=parent, kind=SpanKind.PRODUCER, attributes=attributes
    ):
        headers: dict[str, str] = {}
        _w3c.inject(headers)
        carried = [f"{k}={v}" for k in BAGGAGE_ALLOWED if (v := baggage.get_baggage(k))]
        if carried:
            headers["baggage"] = ",".join(carried)
    return headers


def context(headers: Mapping[str, str]) -> Context | None:
    """Read the creation context of a fact, or None when its trace is not kept."""
    flags = headers.get("traceparent", "")[-2:]
    # Other bits may be set beside it: W3C level 2 tells of random trace ids so.
    if not re.fullmatch("[0-9a-f]{2}", flags) or not int(flags, 16) & SAMPLED:
        return None
    return _w3c.extract(dict(headers), context=Context())


@contextmanager
def unseen() -> Iterator[None]:
    """Keep what runs every second, or serves no kept trace, out of the traces.

    Its spans get a parent that is not sampled, and parent-based samplers drop them with it.
    """
    parent = SpanContext(randbits(128) | 1, randbits(64) | 1, is_remote=False)
    token = otel.attach(trace.set_span_in_context(NonRecordingSpan(parent), Context()))
    try:
        yield
    finally:
        otel.detach(token)


def links(contexts: Sequence[Context | None]) -> list[Link]:
    """Link to the first 128 of these traces."""
    spans = [trace.get_current_span(one).get_span_context() for one in contexts if one]
    return [Link(span) for span in spans[:LINKS_MAX]]


@contextmanager
def sending(
    service: str, shard: int, count: int, contexts: Sequence[Context | None]
) -> Iterator[None]:
    """Span one batch on its way to the broker; the facts keep their own contexts."""
    attributes: dict[str, str | int] = {
        "messaging.system": "nats",
        "messaging.operation.type": "send",
        "messaging.destination.partition.id": str(shard),
        "messaging.batch.message_count": count,
    }
    with _batch(f"send evt.{service}.{shard}", SpanKind.CLIENT, contexts, attributes):
        yield


@contextmanager
def applying(place: "Place", count: int, contexts: Sequence[Context | None]) -> Iterator[None]:
    """Span one transaction of a consumer, linked to what made its facts."""
    attributes: dict[str, str | int] = {
        "messaging.system": "nats",
        "messaging.consumer.group.name": place.consumer,
        "messaging.destination.partition.id": str(place.shard),
        "messaging.batch.message_count": count,
    }
    name = f"apply evt.{place.source}.{place.shard}"
    with _batch(name, SpanKind.INTERNAL, contexts, attributes):
        apply = trace.get_current_span().get_span_context()
        token = otel.attach(otel.set_value(APPLY, apply))
        try:
            yield
        finally:
            otel.detach(token)


@contextmanager
def _batch(
    name: str, kind: SpanKind, contexts: Sequence[Context | None], attributes: dict[str, str | int]
) -> Iterator[None]:
    """Span what serves many traces, in one of its own; unseen when none of them is kept."""
    found = links(contexts)
    if not found:
        with unseen():
            yield
        return
    with tracer.start_as_current_span(
        name, context=Context(), kind=kind, links=found, attributes=attributes
    ):
        yield


@contextmanager
def processing(
    place: "Place", type: str, facts: "Sequence[Received[Any]]", run: "Sequence[Message]"
) -> Iterator[None]:
    """Span each fact of a run in the trace that made it, from hand-over until it is handled.

    A single fact's span is the current one, so what its handler tells stays in the same trace.
    """
    began = time()
    apply = otel.get_value(APPLY)
    assert isinstance(apply, SpanContext)
    spans = [
        tracer.start_span(
            f"process {type}",
            context=fact.trace,
            kind=SpanKind.CONSUMER,
            links=[Link(apply)],
            attributes=_waits(place, fact, message, began),
        )
        for fact, message in zip(facts, run, strict=True)
        if fact.trace
    ]
    try:
        if len(facts) == len(spans) == 1:
            with trace.use_span(spans[0]):
                yield
        else:
            yield
    finally:
        now = time()
        for span, fact in zip(spans, (f for f in facts if f.trace), strict=True):
            span.set_attribute("hazina.e2e_ms", _ms(now - fact.time.timestamp()))
            span.end()


def _waits(
    place: "Place", fact: "Received[Any]", message: "Message", began: float
) -> dict[str, str | int | float]:
    written = fact.time.timestamp()
    told: dict[str, str | int | float] = {
        "messaging.system": "nats",
        "messaging.operation.type": "process",
        "messaging.destination.name": fact.type,
        "messaging.destination.partition.id": str(fact.shard),
        "messaging.consumer.group.name": place.consumer,
        "messaging.message.id": str(fact.id),
        "hazina.seq": fact.seq,
    }
    if message.stored_at:
        told["hazina.outbox_wait_ms"] = _ms(message.stored_at - written)
        told["hazina.broker_ms"] = _ms(message.received_at - message.stored_at)
        told["hazina.inbox_wait_ms"] = _ms(began - message.received_at)
    return told


def _ms(seconds: float) -> float:
    return round(max(seconds, 0) * 1_000, 3)
