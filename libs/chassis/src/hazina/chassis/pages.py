"""Lists that are read a page at a time, each page naming where the next begins."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from fastapi import Depends, Query

from hazina.chassis.wire import Wire
from hazina.problems import Kind, Problem

Shape = TypeVar("Shape", bound=Wire)
Row = TypeVar("Row")

LIMIT_MAX = 200
LIMIT_DEFAULT = 50
CURSOR_LENGTH_MAX = 512


class CursorMalformed(Problem, code="page.cursor_malformed", kind=Kind.MALFORMED):
    """The cursor was not given out by this list."""


class Page(Wire, Generic[Shape]):
    """One page of a list; `next_cursor` is null on the last one."""

    data: list[Shape]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page a caller asked for."""

    limit: int
    cursor: str | None

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than is shown tells whether there is a next page."""
        return self.limit + 1

    def after(self, *types: type) -> tuple[Any, ...] | None:
        """Give the sort key that the last page ended with, as `types`; None on the first page."""
        if self.cursor is None:
            return None
        try:
            raw = urlsafe_b64decode(self.cursor + "=" * (-len(self.cursor) % 4))
            key: tuple[Any, ...] = msgspec.json.decode(raw, type=tuple[types])  # type: ignore[valid-type]
        except (ValueError, msgspec.MsgspecError) as bad:
            raise CursorMalformed from bad
        if any(isinstance(part, str) and "\x00" in part for part in key):
            raise CursorMalformed  # PostgreSQL's text cannot hold it
        return key

    def page(
        self, rows: Sequence[Row], *, key: Callable[[Row], tuple[object, ...]], shape: type[Shape]
    ) -> Page[Shape]:
        """Show the first `limit` of `rows` and where the next page begins.

        `rows` were read with `limit {fetch}` in the order of `key`, which must be unique.
        """
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        cursor = (
            urlsafe_b64encode(msgspec.json.encode(key(shown[-1]))).rstrip(b"=") if more else b""
        )
        return Page[shape](  # type: ignore[valid-type]
            data=[shape.of(row) for row in shown], next_cursor=cursor.decode() or None
        )


def _paging(
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
    cursor: Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX)] = None,
) -> Paging:
    return Paging(limit, cursor)


Paged = Annotated[Paging, Depends(_paging)]
