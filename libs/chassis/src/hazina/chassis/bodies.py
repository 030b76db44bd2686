"""Request bodies: read up to a limit, and looked over before anybody trusts them."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.types import Message, Receive, Scope

from hazina.chassis.render import (
    BodyTooLarge,
    ContentTypeUnsupported,
    RequestMalformed,
    ValidationFailed,
)
from hazina.chassis.wire import INT_MAX

BODY_BYTES_MAX = 1024 * 1024
BULK_BODY_BYTES_MAX = 8 * 1024 * 1024  # what a route asks for with `max_body_size=`
DEPTH_MAX = 64  # how deep we look; ours are flat

# PostgreSQL's text holds no NUL and no lone surrogate, BIGINT no more than 63 bits. Most bodies
# cannot hold any of these, and the bytes show it without building anything.
SUSPICIOUS = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|[0-9]{19}|[eE][+]?[0-9]{2}")


async def read(receive: Receive, limit: int) -> bytes:
    """Read the whole body, or refuse as soon as it is longer than `limit` bytes."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise BodyTooLarge(limit_bytes=limit)
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


class ClientGone(Exception):
    """The client hung up before its body was complete."""


def again(body: bytes, receive: Receive) -> Receive:
    """Hand `body` to whoever reads next, then whatever the connection still says."""
    unread = True

    async def receive_again() -> Message:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return receive_again


def require_json(body: bytes, content_type: bytes) -> None:
    """Refuse a body that is not JSON, or holds what no column of ours can."""
    media = content_type.partition(b";")[0].strip().lower()
    if media != b"application/json" and not media.endswith(b"+json"):
        raise ContentTypeUnsupported
    try:
        # Decoded a second time by the framework; this one costs a microsecond and is strict
        # where json.loads is not: no NaN, no invalid UTF-8, no lone surrogate.
        read = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as bad:
        raise RequestMalformed("the body is not JSON") from bad
    if SUSPICIOUS.search(body):
        _look_over(read, [])


def _look_over(value: object, path: list[str]) -> None:
    if len(path) > DEPTH_MAX:
        raise RequestMalformed("the body nests too deep")
    if isinstance(value, str) and "\x00" in value:
        _refuse(path, "text_nul", "Text may not hold a NUL character.")
    if isinstance(value, float) and not -(2.0**63) < value < 2.0**63:
        _refuse(path, "number_range", "Numbers must fit 64 bits; larger ones travel as text.")
    if isinstance(value, int) and not -INT_MAX <= value <= INT_MAX:
        _refuse(path, "number_range", "Numbers must fit 64 bits; larger ones travel as text.")
    for step, part in _parts(value):
        if isinstance(step, str):
            _look_over(step, path)
        _look_over(part, [*path, str(step)])


def _parts(value: object) -> Iterable[tuple[Any, object]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _refuse(path: list[str], code: str, message: str) -> None:
    pointer = "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in path)
    raise ValidationFailed(errors=[{"pointer": pointer, "code": code, "message": message}])


def require_storable(scope: Scope) -> None:
    """Refuse a path or query with a NUL character: PostgreSQL's text cannot hold it."""
    if b"%00" in scope["query_string"] or "\x00" in scope["path"]:
        raise RequestMalformed("an address may not hold a NUL character")
