"""One try of a caller at one operation, named by the caller with an Idempotency-Key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Depends, Header, Request, Response

from hazina import ids
from hazina.idempotency import fingerprint

KEY_LENGTH_MAX = 255
PRINTABLE = r"^[\x20-\x7e]+$"
DESCRIPTION = "Names the attempt: asking again with the same key gives the first answer."


@dataclass(kw_only=True)
class Attempt:
    """What is asked, by whom, and under which name; `find` and `keep` do the rest.

    Without a name every attempt is its own, and nothing is remembered.
    """

    name: str | None  # the Idempotency-Key, as the caller sent it
    caller: str  # who asks; "" for somebody whom we do not know yet
    route: str  # which operation, as it is written in the API
    request: Mapping[str, object]  # everything that was asked
    at: datetime
    permanent: bool = False  # remember for ever, because money moved
    replayed: bool = False  # the first attempt answered, not this one
    kept: bool = False  # what it made is remembered
    _response: Response | None = field(default=None, repr=False)
    _http: Request | None = field(default=None, repr=False)

    @cached_property
    def key(self) -> UUID:
        """The attempt's own id: the same for the same caller, route and name, and for no other."""
        if self.name is None:
            return ids.new()
        said = f"{self._who()}\x1f{self.route}\x1f{self.name}"
        return UUID(bytes=sha256(said.encode()).digest()[:16])

    @cached_property
    def fields(self) -> dict[str, str]:
        """A digest of every field of the request."""
        return fingerprint.take((self.name or "").encode(), self.request)

    def replay(self) -> None:
        """Mark the answer as the first attempt's."""
        self.replayed = True
        if self._response is not None:
            self._response.headers["Idempotency-Replayed"] = "true"

    def _who(self) -> str:
        """Name the caller. Looked up only now: dependencies are solved in any order."""
        caller = getattr(self._http.state, "caller", None) if self._http else None
        return self.caller or str(
            getattr(caller, "user_id", None) or getattr(caller, "service", "")
        )


async def _keyed(
    request: Request,
    response: Response,
    idempotency_key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=KEY_LENGTH_MAX,
            pattern=PRINTABLE,
            description=DESCRIPTION,
        ),
    ],
) -> Attempt:
    return await _attempt(request, response, idempotency_key)


async def _keyed_for_good(attempt: "Annotated[Attempt, Depends(_keyed)]") -> Attempt:
    attempt.permanent = True
    return attempt


async def _may_key(
    request: Request,
    response: Response,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=KEY_LENGTH_MAX,
            pattern=PRINTABLE,
            description=DESCRIPTION,
        ),
    ] = None,
) -> Attempt:
    return await _attempt(request, response, idempotency_key)


async def _attempt(request: Request, response: Response, name: str | None) -> Attempt:
    return Attempt(
        name=name,
        caller="",
        route=_route(request),
        request={} if name is None else await _asked(request),
        at=request.app.state.clock(),
        _response=response,
        _http=request,
    )


def _route(request: Request) -> str:
    """Name the operation as it is written in the API: the same for every thing it is done to."""
    scope: Any = request.scope
    found = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return f"{request.method} {getattr(found, 'path_format', request.url.path)}"


async def _asked(request: Request) -> dict[str, object]:
    """Gather what was asked: the body's fields first, then those of path and query."""
    body = await request.body()
    read: object = msgspec.json.decode(body) if body else {}
    asked: dict[str, object] = dict(read) if isinstance(read, dict) else {"body": read}
    if request.path_params:
        asked["path"] = {name: str(value) for name, value in request.path_params.items()}
    if request.query_params:
        asked["query"] = sorted(map(list, request.query_params.multi_items()))
    return asked


Keyed = Annotated[Attempt, Depends(_keyed)]
KeyedForGood = Annotated[Attempt, Depends(_keyed_for_good)]
MayKey = Annotated[Attempt, Depends(_may_key)]
