"""What the gateway says when it refuses by itself: problem+json, as the services do."""

from dataclasses import dataclass
from typing import Any

RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Reply:
    """One refusal of the gateway. `told` adds Envoy's own words, where they name nothing inside."""

    status: int
    code: str
    title: str
    retry: bool = False
    told: bool = False


REPLIES = (
    Reply(400, "request.malformed", "The request cannot be read."),
    Reply(401, "auth.token_invalid", "The access token is missing or not valid.", told=True),
    Reply(403, "auth.forbidden", "The caller may not do this."),
    Reply(404, "route.unknown", "Nothing answers at this address."),
    Reply(408, "request.too_slow", "The request took too long to arrive."),
    Reply(413, "body.too_large", "The request's body is larger than we read."),
    Reply(429, "rate.limited", "Too many requests; wait a little.", retry=True),
    Reply(431, "request.headers_too_large", "The request's headers are larger than we read."),
    Reply(502, "service.unavailable", "The service gave no readable answer.", retry=True),
    Reply(503, "service.unavailable", "The service is not answering.", retry=True),
    Reply(504, "service.timeout", "The service did not answer in time; it may still act."),
)
ANYTHING_ELSE = Reply(400, "request.refused", "The gateway refused the request.")


def local_replies() -> dict[str, Any]:
    """Give each refusal its body and headers; a status without its own line falls to the last."""
    mappers = [_mapper(reply, "EQ") for reply in REPLIES]
    return {"mappers": [*mappers, _mapper(ANYTHING_ELSE, "GE")]}


def _mapper(reply: Reply, comparison: str) -> dict[str, Any]:
    body = {
        "type": f"/problems/{reply.code}",
        "title": reply.title,
        "status": "%RESPONSE_CODE%",
        "code": reply.code,
        # Without the query: it may hold a one-time code.
        "instance": "%PATH(NQ)%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "trace_id": "%TRACE_ID%",
    }
    if reply.told:
        body["detail"] = "%LOCAL_REPLY_BODY%"
    headers = {"content-type": "application/problem+json"}
    if reply.retry:
        headers["retry-after"] = str(RETRY_AFTER_S)
    code = {"default_value": reply.status, "runtime_key": f"gateway.reply_{reply.status}"}
    return {
        "filter": {"status_code_filter": {"comparison": {"op": comparison, "value": code}}},
        "headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in headers.items()
        ],
        "body_format_override": {
            "json_format": body,
            "content_type": "application/problem+json",
        },
    }
