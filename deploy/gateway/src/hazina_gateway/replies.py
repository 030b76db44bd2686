"""What the gateway says when it refuses by itself: problem+json, as the services do."""

from dataclasses import dataclass
from typing import Any

RETRY_AFTER_S = 1
UNAUTHENTICATED, FORBIDDEN = 401, 403


@dataclass(frozen=True, slots=True)
class Reply:
    """One refusal of the gateway. `told` adds Envoy's own words, where they name nothing inside."""

    status: int
    code: str
    title: str
    retry: bool = False
    told: bool = False


UNAVAILABLE = "A part of the service is not answering; nothing was changed that you were told of."
REPLIES = (
    Reply(400, "request.malformed", "The request cannot be read."),
    Reply(
        UNAUTHENTICATED,
        "auth.token_invalid",
        "The access token is missing, expired or not one of ours.",
        told=True,
    ),
    Reply(FORBIDDEN, "auth.forbidden", "You may not do this."),
    Reply(404, "route.unknown", "Nothing answers at this address."),
    Reply(408, "request.too_slow", "The request took too long to arrive."),
    Reply(413, "body.too_large", "The body is larger than this address takes."),
    Reply(429, "rate.limited", "Too many requests; wait a little.", retry=True),
    Reply(431, "request.headers_too_large", "The request's headers are larger than we read."),
    Reply(502, "service.unavailable", UNAVAILABLE),
    Reply(503, "service.unavailable", UNAVAILABLE, retry=True),
    Reply(504, "service.timeout", "The service did not answer in time; it may still act."),
)
ANYTHING_ELSE = Reply(400, "request.refused", "The gateway refused the request.")


def local_replies() -> dict[str, Any]:
    """Give each refusal its body and headers; a status without its own line falls to the last."""
    mappers = [_mapper(reply, _status("EQ", reply.status)) for reply in REPLIES]
    rest = _mapper(ANYTHING_ELSE, _status("GE", ANYTHING_ELSE.status))
    return {"mappers": [_foreign_audience(), *mappers, rest]}


def _foreign_audience() -> dict[str, Any]:
    """Answer 401 where Envoy would say 403, as the services do for a token meant for others.

    Envoy's one other 403 is an upgrade that the route does not allow.
    """
    upgrade = {"name": "upgrade", "present_match": True, "invert_match": True}
    both = [_status("EQ", FORBIDDEN), {"header_filter": {"header": upgrade}}]
    (invalid,) = (reply for reply in REPLIES if reply.status == UNAUTHENTICATED)
    return _mapper(invalid, {"and_filter": {"filters": both}}) | {"status_code": invalid.status}


def _status(comparison: str, status: int) -> dict[str, Any]:
    value = {"default_value": status, "runtime_key": f"gateway.reply_{status}"}
    return {"status_code_filter": {"comparison": {"op": comparison, "value": value}}}


def _mapper(reply: Reply, filter_: dict[str, Any]) -> dict[str, Any]:
    body = {
        "type": f"/problems/{reply.code}",
        "title": reply.title,
        "status": "%RESPONSE_CODE%",
        "code": reply.code,
        # Without the query: it may hold a one-time code.
        "instance": "%PATH(NQ)%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "trace_id": "%REQ(X-TRACE-ID)%",
    }
    if reply.told:
        body["detail"] = "%LOCAL_REPLY_BODY%"
    headers = {"content-type": "application/problem+json"}
    if reply.retry:
        headers["retry-after"] = str(RETRY_AFTER_S)
    return {
        "filter": filter_,
        "headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in headers.items()
        ],
        "body_format_override": {
            "json_format": body,
            "content_type": "application/problem+json",
        },
    }
