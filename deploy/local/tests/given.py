"""Spans as services would send them."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from hazina_local.traces.span import KINDS, Span

TRACE = "0af7651916cd43dd8448eb211c80319c"
BEGIN_NS = 1_800_000_000_000_000_000


def span(
    id: int,
    name: str = "work",
    *,
    parent: int = 0,
    service: str = "ledger",
    kind: str = "server",
    at_ms: float = 0,
    took_ms: float = 1,
    failed: bool = False,
    trace_id: str = TRACE,
    **attributes: object,
) -> Span:
    """A span that begins `at_ms` after the trace and takes `took_ms`."""
    start = BEGIN_NS + int(at_ms * 1e6)
    return Span(
        trace_id=trace_id,
        span_id=f"{id:016x}",
        parent_id=f"{parent:016x}" if parent else "",
        service=service,
        name=name,
        kind=kind,
        start_ns=start,
        end_ns=start + int(took_ms * 1e6),
        failed=failed,
        attributes={key.replace("__", "."): value for key, value in attributes.items()},
    )


def gift() -> list[Span]:
    """A gift's way: gateway, ledger, and what streaming heard after three waits."""
    waits: dict[str, Any] = {
        "hazina__outbox_wait_ms": 4.0,
        "hazina__broker_ms": 2.0,
        "hazina__inbox_wait_ms": 3.0,
    }
    return [
        span(1, "POST /ledger/v1/gifts", service="gateway", took_ms=10),
        span(2, "POST /ledger/v1/gifts", parent=1, at_ms=1, took_ms=8),
        span(3, "transaction", parent=2, kind="internal", at_ms=2, took_ms=6),
        span(4, "publish ledger.gift.sent", parent=3, kind="producer", at_ms=5, took_ms=1),
        span(
            5,
            "ledger.gift.sent.v1",
            parent=4,
            service="streaming",
            kind="consumer",
            at_ms=17,
            took_ms=3,
            **waits,
        ),
    ]


def export(spans: list[Span]) -> bytes:
    """The bytes of an OTLP/HTTP export, a resource per span."""
    request = ExportTraceServiceRequest()
    for one in spans:
        resource = request.resource_spans.add()
        resource.resource.attributes.append(_pair("service.name", one.service))
        sent = resource.scope_spans.add().spans.add()
        sent.trace_id = bytes.fromhex(one.trace_id)
        sent.span_id = bytes.fromhex(one.span_id)
        sent.parent_span_id = bytes.fromhex(one.parent_id)
        sent.name = one.name
        sent.kind = KINDS.index(one.kind)
        sent.start_time_unix_nano = one.start_ns
        sent.end_time_unix_nano = one.end_ns
        sent.status.code = 2 if one.failed else 0
        sent.attributes.extend(_pair(key, value) for key, value in one.attributes.items())
    return bytes(request.SerializeToString())


def _pair(key: str, value: Any) -> KeyValue:
    kinds: Mapping[type, str] = {str: "string_value", float: "double_value", int: "int_value"}
    return KeyValue(key=key, value=AnyValue(**{kinds[type(value)]: value}))
