"""The outside of a running house: one address, and what a person can ask there."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

TIMEOUT_S = 20
POLL_S = 0.05

T = TypeVar("T")
Json = Any


class Wrong(AssertionError):
    """The house did something else than the story tells."""


@dataclass(frozen=True)
class Person:
    """Somebody who signed up, with what they need to ask for things."""

    name: str
    email: str
    user_id: str
    org_id: str
    token: str


@dataclass(frozen=True)
class World:
    """A house seen from outside. `stripe_secret` signs payment webhooks as Stripe would."""

    url: str
    stripe_secret: str
    http: httpx.AsyncClient

    @property
    def websocket_url(self) -> str:
        """Where viewers connect."""
        return self.url.replace("http", "ws", 1) + "/streaming/v1/connection/websocket"

    async def get(self, path: str, person: Person | None = None) -> Json:
        """Read something; `Wrong` unless it is there."""
        return await self._ask("GET", path, person, expected=200)

    async def find(self, path: str, person: Person | None = None) -> Json | None:
        """Read something that may not be there yet: None when it is unknown."""
        answer = await self.http.get(path, headers=_headers(person))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return _body(answer, 200)

    async def post(
        self,
        path: str,
        body: Json,
        person: Person | None = None,
        *,
        expected: int = 201,
        key: str | None = None,
        trace_id: str | None = None,
    ) -> Json:
        """Do something once; a key is made up where none is given."""
        more = {"Idempotency-Key": key or secrets.token_hex(12)}
        if trace_id is not None:
            more["traceparent"] = f"00-{trace_id}-{secrets.token_hex(8)}-01"
        return await self._ask("POST", path, person, expected=expected, body=body, more=more)

    async def _ask(
        self,
        method: str,
        path: str,
        person: Person | None,
        *,
        expected: int,
        body: Json = None,
        more: dict[str, str] | None = None,
    ) -> Json:
        answer = await self.http.request(
            method, path, json=body, headers=_headers(person) | (more or {})
        )
        return _body(answer, expected)


@asynccontextmanager
async def visiting(url: str, stripe_secret: str) -> AsyncIterator[World]:
    """Visit the house at `url` for as long as the block runs."""
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S) as http:
        yield World(url, stripe_secret, http)


async def eventually(
    what: str, read: Callable[[], Awaitable[T]], right: Callable[[T], bool], *, within_s: float = 10
) -> T:
    """Read until it is right, and return it; `Wrong` with the last thing read when time is up."""
    late = time.monotonic() + within_s
    while True:
        found = await read()
        if right(found):
            return found
        if time.monotonic() > late:
            raise Wrong(f"{what}: after {within_s:g} s there is only {_short(found)}")
        await asyncio.sleep(POLL_S)


def expect(condition: bool, what: str, found: object = None) -> None:
    """Go on only if the story's sentence is true."""
    if not condition:
        raise Wrong(f"{what}: found {_short(found)}" if found is not None else what)


def new_trace_id() -> str:
    """Choose the id of a trace, so that it can be looked up afterwards."""
    return secrets.token_hex(16)


def _headers(person: Person | None) -> dict[str, str]:
    return {} if person is None else {"Authorization": f"Bearer {person.token}"}


def _body(answer: httpx.Response, expected: int) -> Json:
    request = answer.request
    if answer.status_code != expected:
        raise Wrong(
            f"{request.method} {request.url.path} answered {answer.status_code} "
            f"instead of {expected}: {answer.text[:400]}"
        )
    return answer.json() if answer.content else None


def _short(found: object) -> str:
    text = json.dumps(found, default=str)
    return text if len(text) < 400 else text[:400] + " …"  # noqa: PLR2004
