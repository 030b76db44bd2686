"""How a refusal looks on the wire: application/problem+json (RFC 9457), always of one shape."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from hazina.idempotency import KeyMalformed, KeyMissing
from hazina.problems import Kind, Problem

STATUS = {
    Kind.MALFORMED: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.UNKNOWN: 404,
    Kind.CONFLICT: 409,
    Kind.GONE: 410,
    Kind.STALE: 412,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED: 415,
    Kind.INVALID: 422,
    Kind.SPENT: 429,
    Kind.UNAVAILABLE: 503,
}
ERRORS_MAX = 50  # validation errors shown; a body full of nonsense is not worth an essay
MEDIA_TYPE = "application/problem+json"


class RequestMalformed(Problem, code="request.malformed", kind=Kind.MALFORMED):
    """The request cannot be read."""


class BodyTooLarge(Problem, code="body.too_large", kind=Kind.TOO_LARGE):
    """The body is larger than this address takes."""


class ContentTypeUnsupported(Problem, code="request.content_type", kind=Kind.UNSUPPORTED):
    """The body must be sent as application/json."""


class ValidationFailed(Problem, code="validation.failed", kind=Kind.INVALID):
    """The request is readable, but its fields are not what was asked for."""


class AddressUnknown(Problem, code="address.unknown", kind=Kind.UNKNOWN):
    """There is nothing at this address."""


BUG_TITLE = "Something unexpected happened on our side; the trace id finds it in our logs."


def answer(problem: Problem, *, instance: str, trace_id: str) -> Response:
    """Render `problem` as it stands, with its facts beside the seven members all of them have."""
    status = STATUS[problem.kind]
    headers = {}
    if "retry_after_s" in problem.facts:
        headers["retry-after"] = str(problem.facts["retry_after_s"])
    if challenge := getattr(problem, "www_authenticate", ""):  # hazina.auth's refusals
        headers["www-authenticate"] = challenge
    return body(
        problem.code,
        problem.title,
        status,
        detail=problem.detail,
        instance=instance,
        trace_id=trace_id,
        facts=problem.facts,
        headers=headers,
    )


def body(
    code: str,
    title: str,
    status: int,
    *,
    detail: str | None,
    instance: str,
    trace_id: str,
    facts: Mapping[str, object] = {},
    headers: Mapping[str, str] = {},
) -> Response:
    """Write the seven members that every refusal has, then its facts."""
    members = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail or title,
        "instance": instance,
        "code": code,
        "trace_id": trace_id,
    }
    content = members | dict(facts) | members  # in this order, and no fact hides a member
    return Response(
        msgspec.json.encode(content, enc_hook=str), status, dict(headers), media_type=MEDIA_TYPE
    )


def bug(*, instance: str, trace_id: str) -> Response:
    """Admit an unexpected error, and tell nothing of it but where to look."""
    return body("service.bug", BUG_TITLE, 500, detail=None, instance=instance, trace_id=trace_id)


def plain(trouble: HTTPException, *, instance: str, trace_id: str) -> Response:
    """Render a refusal of the router's own, such as 405, with its headers."""
    phrase = HTTPStatus(trouble.status_code).phrase
    return body(
        f"http.{phrase.lower().replace(' ', '_')}",
        phrase,
        trouble.status_code,
        detail=None,
        instance=instance,
        trace_id=trace_id,
        headers=trouble.headers or {},
    )


def of_framework(trouble: HTTPException | RequestValidationError) -> Problem | None:
    """Say in our words what the framework refused; None for a status that we give no name."""
    if isinstance(trouble, RequestValidationError):
        return _of_validation(trouble)
    return AddressUnknown() if trouble.status_code == STATUS[Kind.UNKNOWN] else None


def _of_validation(trouble: RequestValidationError) -> Problem:
    found = trouble.errors()
    if refused := _of_key(found):
        return refused
    if any(error["type"] == "json_invalid" for error in found):
        return RequestMalformed("the body is not JSON")
    shown = [_error(error) for error in found[:ERRORS_MAX]]
    return ValidationFailed(errors=shown)


def _of_key(found: Sequence[Mapping[str, Any]]) -> Problem | None:
    """Name what is wrong with the Idempotency-Key, before anything else that is."""
    for error in found:
        if tuple(error["loc"]) == ("header", "Idempotency-Key"):
            return KeyMissing() if error["type"] == "missing" else KeyMalformed()
    return None


def _error(error: Mapping[str, Any]) -> dict[str, str]:
    """Show one validation error without the value that caused it: it may be a secret."""
    where, *path = error["loc"] or ("body",)
    steps: list[object] = path if where == "body" else [where, *path]
    pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)
    return {"pointer": pointer, "code": error["type"], "message": error["msg"]}
