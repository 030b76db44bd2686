"""Optimistic concurrency: an answer's version as ETag, and the caller's If-Match against it."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header

from hazina.problems import Kind, Problem

STRONG = re.compile(r'"(\d{1,18})"')


class PreconditionFailed(Problem, code="precondition.failed", kind=Kind.STALE):
    """The thing has changed since the caller read it."""


def etag(version: int) -> str:
    """Write a version as a strong entity tag, for the ETag header."""
    return f'"{version}"'


@dataclass(frozen=True, slots=True)
class Match:
    """Which version the caller believes to be changing; None when it did not say."""

    version: int | None

    def require(self, current: int) -> None:
        """Refuse when the caller named another version than `current`."""
        if self.version not in {None, current}:
            raise PreconditionFailed(current=current)


def _if_match(
    if_match: Annotated[str | None, Header(description="The ETag last seen, or `*`.")] = None,
) -> Match:
    if if_match is None or if_match.strip() == "*":
        return Match(None)
    found = STRONG.fullmatch(if_match.strip())
    return Match(int(found[1]) if found else -1)  # a tag that we never gave out matches nothing


IfMatch = Annotated[Match, Depends(_if_match)]
