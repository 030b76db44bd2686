"""One span as we keep it, and how it is read from what OpenTelemetry sends."""

import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships none
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

KINDS = ("", "internal", "server", "client", "producer", "consumer")
STATUS_ERROR = 2


class MalformedSpans(Exception):
    """What came is not an OTLP export."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of work of one service: when it began and ended, and below which other one."""

    trace_id: str  # hex
    span_id: str
    parent_id: str  # "" for the first of a trace
    service: str
    name: str
    kind: str  # one of KINDS
    start_ns: int
    end_ns: int
    failed: bool
    attributes: Mapping[str, Any]

    @property
    def duration_ms(self) -> float:
        """How long it took."""
        return (self.end_ns - self.start_ns) / 1e6

    @property
    def title(self) -> str:
        """What it is shown as: its name, or the request where a gateway calls all of them alike."""
        url = str(self.attributes.get("http.url", ""))
        if self.name != "ingress" or not url:
            return self.name
        return f"{self.attributes.get('http.method', '')} {urlsplit(url).path}".strip()


def decode(body: bytes, *, encoding: str = "") -> list[Span]:
    """Read an OTLP/HTTP protobuf export; `MalformedSpans` when it is none."""
    try:
        export = ExportTraceServiceRequest.FromString(
            gzip.decompress(body) if encoding == "gzip" else body
        )
    except (DecodeError, OSError, EOFError) as bad:
        raise MalformedSpans(str(bad)) from None
    found = []
    for resource in export.resource_spans:
        service = _attributes(resource.resource.attributes).get("service.name", "unknown")
        for scope in resource.scope_spans:
            for span in scope.spans:
                attributes = _attributes(span.attributes)
                found.append(
                    Span(
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        service=str(service),
                        name=span.name,
                        kind=KINDS[span.kind] if span.kind < len(KINDS) else "",
                        start_ns=span.start_time_unix_nano,
                        end_ns=span.end_time_unix_nano,
                        failed=span.status.code == STATUS_ERROR,
                        attributes=attributes,
                    )
                )
    return found


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "array_value":
            return [_value(one) for one in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case "bytes_value":
            return value.bytes_value.hex()
        case None:
            return None
        case kind:
            return getattr(value, kind)
