"""The API as it is published: every operation names every refusal it can answer."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from hazina.auth import SessionRevoked, TokenInvalid, TokenStale
from hazina.chassis import render
from hazina.idempotency import InFlight, KeyMalformed, KeyMissing, KeyReused
from hazina.problems import Kind, Problem, Unavailable

PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "Why a request was refused (RFC 9457), with the facts of the refusal beside it.",
    "required": ["type", "title", "status", "detail", "instance", "code", "trace_id"],
    "properties": {
        "type": {"type": "string", "description": "/problems/ and the code."},
        "title": {"type": "string", "description": "What this code always means."},
        "status": {"type": "integer", "description": "The HTTP status again."},
        "detail": {"type": "string", "description": "What it means here."},
        "instance": {"type": "string", "description": "The address that was asked."},
        "code": {"type": "string", "description": "A stable name for programs to decide by."},
        "trace_id": {"type": "string", "description": "Finds the request in logs and traces."},
        "errors": {
            "type": "array",
            "description": "Which fields are wrong, when the code is validation.failed.",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer (RFC 6901)."},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}
KEYED: tuple[type[Problem], ...] = (KeyMissing, KeyMalformed, KeyReused, InFlight)
SIGNED: tuple[type[Problem], ...] = (TokenInvalid, TokenStale, SessionRevoked)
EVERYWHERE: tuple[type[Problem], ...] = (render.RequestMalformed, Unavailable)
WITH_BODY: tuple[type[Problem], ...] = (
    render.BodyTooLarge,
    render.ContentTypeUnsupported,
    render.ValidationFailed,
)


def refuses(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """Declare what an operation can refuse: `@router.post(…, responses=refuses(NotYours))`."""
    told: dict[int | str, dict[str, Any]] = {}
    for problem in sorted(problems, key=lambda each: each.code):
        _tell(told, problem)
    return told


def _tell(
    told: dict[int | str, dict[str, Any]], problem: type[Problem], *, key: type = int
) -> None:
    """Add one problem to the answers of an operation, beside others of the same status."""
    status = render.STATUS[problem.kind]
    entry = told.setdefault(key(status), {"description": ""})
    lines = [*filter(None, entry["description"].split("\n")), f"`{problem.code}`: {problem.title}"]
    entry["description"] = "\n".join(sorted(set(lines)))
    entry["content"] = {render.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if problem.kind in {Kind.SPENT, Kind.UNAVAILABLE}:
        entry["headers"] = {
            "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}
        }


def describe(app: FastAPI) -> dict[str, Any]:
    """Give the OpenAPI document of `app`, the same bytes for the same code."""
    if app.openapi_schema:
        return app.openapi_schema
    made = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for of_the_framework in ("HTTPValidationError", "ValidationError"):
        schemas.pop(of_the_framework, None)
    schemas["Problem"] = PROBLEM
    for operations in made["paths"].values():
        for operation in operations.values():
            _complete(operation)
    app.openapi_schema = made
    return made


def _complete(operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    if "application/json" in answers.get("422", {}).get("content", {}):
        del answers["422"]  # the framework's own shape, which we never send
    for problem in EVERYWHERE:
        _tell(answers, problem, key=str)
    if "requestBody" in operation:
        for problem in WITH_BODY:
            _tell(answers, problem, key=str)
    elif "parameters" in operation:
        _tell(answers, render.ValidationFailed, key=str)
    named = {parameter["name"] for parameter in operation.get("parameters", ())}
    for problem in KEYED if "Idempotency-Key" in named else ():
        _tell(answers, problem, key=str)
    for problem in SIGNED if "security" in operation else ():
        _tell(answers, problem, key=str)
    operation["responses"] = dict(sorted(answers.items()))
