"""Refusals: the expected ways to say no, each with a stable public code (RFC 9457)."""

from collections.abc import Iterator
from enum import StrEnum, auto
from typing import ClassVar

# What every problem+json answer has of its own; a fact of the same name would be hidden by it.
MEMBERS = frozenset({"type", "title", "status", "instance", "code", "trace_id"})


class Kind(StrEnum):
    """What sort of no it is. The chassis gives each kind one HTTP status."""

    MALFORMED = auto()  # the request cannot even be read
    UNAUTHENTICATED = auto()  # nobody believable is asking
    FORBIDDEN = auto()  # the caller may not
    UNKNOWN = auto()  # the thing asked about is not there, or not for this caller
    CONFLICT = auto()  # not as things stand now
    GONE = auto()  # it was there and will not come back
    STALE = auto()  # the caller looked at an older version (If-Match)
    TOO_LARGE = auto()  # more than we read
    UNSUPPORTED = auto()  # a media type we do not speak
    INVALID = auto()  # readable, and could never succeed
    SPENT = auto()  # a limit or quota is used up
    UNAVAILABLE = auto()  # trouble below us; the same request may succeed later


class Problem(Exception):
    """Base of every expected no. A subclass's docstring is its public title.

    Facts given to the constructor become members of the problem+json answer, so they are chosen
    for the caller: ids and numbers, never a dump. `retry_after_s` also becomes a header.
    """

    code: ClassVar[str]
    kind: ClassVar[Kind]
    title: ClassVar[str]

    def __init_subclass__(cls, *, code: str = "", kind: Kind | None = None) -> None:
        if not code:
            return  # an abstract family (say, all of a service's webhook refusals) has no code
        assert kind, f"{cls.__name__} needs a kind"
        assert cls.__doc__, f"{cls.__name__} needs a docstring: it is what the caller reads"
        cls.code, cls.kind, cls.title = code, kind, cls.__doc__.splitlines()[0]

    def __init__(self, detail: str | None = None, **facts: object) -> None:
        assert not MEMBERS & facts.keys(), "a fact may not take the name of a member of RFC 9457"
        super().__init__(self.title, facts)
        self.detail = detail
        self.facts = facts


class Unavailable(Problem, code="service.unavailable", kind=Kind.UNAVAILABLE):
    """A part of the service is not answering; nothing was changed that you were told of."""

    def __init__(self, detail: str | None = None, *, retry_after_s: int = 1) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)


def every() -> Iterator[type[Problem]]:
    """Yield each problem class that is imported, sorted by code: the source of problems.md."""

    def below(cls: type[Problem]) -> Iterator[type[Problem]]:
        for child in cls.__subclasses__():
            if "code" in vars(child):
                yield child
            yield from below(child)

    yield from sorted(set(below(Problem)), key=lambda problem: problem.code)
