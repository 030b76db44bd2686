"""How a statement is written: comma-separated, or a JSON object a line."""

import csv
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from uuid import UUID

import msgspec


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a statement: what was held before it began, an entry, what is held after it."""

    seq: int
    created_at: datetime
    kind: str  # opening, closing, or the transaction's
    transaction_id: UUID | None
    reference: str | None
    amount: int | None
    balance_after: int


MEDIA_TYPES = {"csv": "text/csv", "jsonl": "application/jsonl"}
COLUMNS = [field.name for field in fields(Line)]


async def as_csv(lines: AsyncIterator[Line]) -> AsyncIterator[str]:
    """Write lines as RFC 4180 says, with a header."""
    yield _row(COLUMNS)
    async for line in lines:
        at = line.created_at.isoformat()
        yield _row([at if name == "created_at" else getattr(line, name) for name in COLUMNS])


async def as_jsonl(lines: AsyncIterator[Line]) -> AsyncIterator[str]:
    """Write lines as one JSON object each."""
    async for line in lines:
        yield msgspec.json.encode(dict(zip(COLUMNS, astuple(line), strict=True))).decode() + "\n"


WRITERS: dict[str, Callable[[AsyncIterator[Line]], AsyncIterator[str]]] = {
    "csv": as_csv,
    "jsonl": as_jsonl,
}


def _row(values: list[object] | list[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(values)
    return written.getvalue()
