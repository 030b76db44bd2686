"""A trace as a drawing in the terminal."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hazina_local.traces.store import Summary
from hazina_local.traces.waterfall import Row, Waterfall

COLOURS = {
    "gateway": "bright_black",
    "identity": "magenta",
    "billing": "cyan",
    "ledger": "green",
    "crypto": "yellow",
    "streaming": "blue",
}
WAIT_MARKS = {"outbox": ("░", "red"), "broker": ("▒", "yellow"), "inbox": ("░", "cyan")}
BAR_WIDTH = 44


def draw(trace_id: str, drawn: Waterfall, *, width: int = BAR_WIDTH) -> RenderableType:
    """Draw a trace: a line per span, with its waits before it."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=58)
    table.add_column(no_wrap=True, width=width)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    for row in drawn.rows:
        colour = COLOURS.get(row.span.service, "white")
        label = Text("  " * row.depth)
        label.append(row.span.service, style=f"bold {colour}")
        label.append(f" {row.span.title}", style="red" if row.span.failed else "")
        table.add_row(
            label, _bar(row, drawn.total_ms, width, colour), f"{row.duration_ms:.1f} ms", _said(row)
        )
    heading = Text.assemble(("trace ", "dim"), (trace_id, "bold"), f"  {drawn.total_ms:.1f} ms")
    legend = Text("  ")
    for name, (mark, colour) in WAIT_MARKS.items():
        legend.append(f"{mark * 2} ", style=colour).append(f"{name} wait  ", style="dim")
    legend.append("██ ", style="white").append("work", style="dim")
    return Group(heading, table, legend)


def list_of(traces: Sequence[Summary]) -> Table:
    """List traces, newest first."""
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for heading in ("when", "trace", "begins with", "services", "spans", "took"):
        table.add_column(heading, no_wrap=True, header_style="dim")
    for one in traces:
        when = datetime.fromtimestamp(one.start_ns / 1e9, UTC).strftime("%H:%M:%S")
        name = Text(f"{one.first_service} ", style=COLOURS.get(one.first_service, ""))
        name.append(one.first_name, style="red" if one.failed else "")
        took = f"{one.took_ms:.1f} ms"
        table.add_row(when, one.trace_id, name, str(one.services), str(one.spans), took)
    return table


def _bar(row: Row, total_ms: float, width: int, colour: str) -> Text:
    cells = [(" ", "")] * width
    for wait in row.waits:
        mark, style = WAIT_MARKS[wait.name]
        _fill(cells, wait.start_ms, wait.duration_ms, total_ms, (mark, style))
    _fill(cells, row.start_ms, row.duration_ms, total_ms, ("█", colour))
    return Text.assemble(*cells)


def _fill(
    cells: list[tuple[str, str]],
    start_ms: float,
    duration_ms: float,
    total_ms: float,
    mark: tuple[str, str],
) -> None:
    scale = len(cells) / max(total_ms, 0.001)
    first = min(max(int(start_ms * scale), 0), len(cells) - 1)
    last = min(max(int((start_ms + duration_ms) * scale), first), len(cells) - 1)
    for cell in range(first, last + 1):
        cells[cell] = mark


def _said(row: Row) -> str:
    return " ".join(f"{wait.name} {wait.duration_ms:.1f}" for wait in row.waits)
