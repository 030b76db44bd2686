"""How a trace is laid out: which span is below which, when, and after which waits. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hazina_local.traces.span import Span

# In the order in which an event passes them, with the attribute that says how long, in ms.
WAITS = (
    ("outbox", "hazina.outbox_wait_ms"),
    ("broker", "hazina.broker_ms"),
    ("inbox", "hazina.inbox_wait_ms"),
)
QUIET = ("internal", "")  # transactions and statements: shown only when asked for


@dataclass(frozen=True, slots=True)
class Wait:
    """What an event waited for before it was applied."""

    name: str
    start_ms: float  # since the trace began
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the drawing."""

    span: Span
    depth: int
    start_ms: float  # since the trace began
    duration_ms: float
    waits: tuple[Wait, ...] = ()


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A whole trace, drawn from its first span's begin."""

    rows: Sequence[Row]
    total_ms: float


def waterfall(spans: Iterable[Span], *, quiet: bool = True) -> Waterfall:
    """Order spans as a tree, children by their begin; with `quiet`, leave inner steps out.

    A span whose parent is unknown, or left out, hangs below the nearest one that is shown.
    """
    every = {span.span_id: span for span in sorted(spans, key=lambda span: span.start_ns)}
    if not every:
        return Waterfall((), 0)
    shown = {
        id: span for id, span in every.items() if not (quiet and span.kind in QUIET) or span.failed
    }
    below: dict[str, list[Span]] = defaultdict(list)
    for span in shown.values():
        below[_shown_parent(span, every, shown)].append(span)
    begin = min(span.start_ns for span in every.values())
    rows: list[Row] = []
    left = [(span, 0) for span in reversed(below[""])]
    while left:
        span, depth = left.pop()
        start_ms = (span.start_ns - begin) / 1e6
        rows.append(Row(span, depth, start_ms, span.duration_ms, _waits(span, start_ms)))
        left.extend((child, depth + 1) for child in reversed(below[span.span_id]))
    end = max(span.end_ns for span in every.values())
    return Waterfall(rows, (end - begin) / 1e6)


def as_rows(drawn: Waterfall) -> dict[str, Any]:
    """Write a drawing as programs read it."""
    return {
        "trace_id": drawn.rows[0].span.trace_id if drawn.rows else "",
        "total_ms": drawn.total_ms,
        "rows": [
            {
                "service": row.span.service,
                "name": row.span.title,
                "kind": row.span.kind,
                "depth": row.depth,
                "start_ms": row.start_ms,
                "duration_ms": row.duration_ms,
                "failed": row.span.failed,
                "waits": {wait.name: wait.duration_ms for wait in row.waits},
            }
            for row in drawn.rows
        ],
    }


def _shown_parent(span: Span, every: dict[str, Span], shown: dict[str, Span]) -> str:
    seen = {span.span_id}
    parent = span.parent_id
    while parent in every and parent not in shown and parent not in seen:
        seen.add(parent)
        parent = every[parent].parent_id
    return parent if parent in shown and parent not in seen else ""


def _waits(span: Span, applied_ms: float) -> tuple[Wait, ...]:
    """Lay the waits end to end, the last one ending when the event was applied."""
    found: list[Wait] = []
    at = applied_ms
    for name, attribute in reversed(WAITS):
        waited = span.attributes.get(attribute)
        if isinstance(waited, int | float) and waited > 0:
            at -= waited
            found.append(Wait(name, at, float(waited)))
    return tuple(reversed(found))
