"""What passes: WebSockets, trace context, request ids; and what is written down about it."""

import json
import time

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from .conftest import Open
from .given import AMINA, Gateway, Upstream, bearer, token

pytestmark = pytest.mark.xdist_group("gateway")

SOCKET = "/streaming/v1/connection/websocket"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PATIENCE_S = 10


class TestWebSocket:
    def test_carries_words_both_ways_without_a_token(self, gateway: Gateway) -> None:
        with connect(f"ws://127.0.0.1:{gateway.port}{SOCKET}") as line:
            line.recv()
            line.send("habari")

            assert line.recv() == "habari"

    def test_tells_no_spoofed_identity(self, gateway: Gateway) -> None:
        spoofed = {"x-user-id": "somebody-else", "x-aal": "2"}

        with connect(f"ws://127.0.0.1:{gateway.port}{SOCKET}", additional_headers=spoofed) as line:
            told = json.loads(line.recv())

        assert not spoofed.keys() & told.keys()

    def test_outlives_every_timeout_when_silent(self, open_gateway: Open) -> None:
        def hasty(config: dict[str, object]) -> None:
            manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]  # type: ignore[index]
            manager["typed_config"]["stream_idle_timeout"] = "0.3s"
            manager["typed_config"]["common_http_protocol_options"]["idle_timeout"] = "0.3s"

        gateway = open_gateway(tweak=hasty)

        with connect(f"ws://127.0.0.1:{gateway.port}{SOCKET}") as line:
            line.recv()
            time.sleep(1)
            line.send("bado")

            assert line.recv() == "bado"

    def test_is_for_its_own_address_only(self, gateway: Gateway) -> None:
        url = f"ws://127.0.0.1:{gateway.port}/streaming/v1/streams"

        with pytest.raises(InvalidStatus) as refused:
            connect(url, additional_headers=bearer())

        assert refused.value.response.status_code == 403


class TestTrace:
    def test_goes_on_through_the_gateway(self, http: httpx.Client, upstream: Upstream) -> None:
        parent = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "tracestate": "shop=1"}

        told = http.get("/ledger/v1/gifts", headers=bearer() | parent).json()["headers"]

        assert told["traceparent"].split("-")[1] == TRACE
        assert told["tracestate"] == "shop=1"
        ours = _spans_of(upstream, TRACE)
        assert told["traceparent"].split("-")[2] in {span.span_id.hex() for span in ours}
        assert "00f067aa0ba902b7" in {span.parent_span_id.hex() for span in ours}

    def test_begins_at_the_gateway_where_the_caller_has_none(
        self, http: httpx.Client, upstream: Upstream
    ) -> None:
        told = http.get("/ledger/v1/gifts", headers=bearer()).json()["headers"]

        assert _spans_of(upstream, told["traceparent"].split("-")[1])

    def test_is_not_kept_where_nobody_collects(self, open_gateway: Open) -> None:
        gateway = open_gateway(otlp=None)

        told = httpx.get(f"{gateway.url}/ledger/v1/gifts", headers=bearer()).json()["headers"]

        assert not {"traceparent", "x-trace-id"} & told.keys()


def _spans_of(upstream: Upstream, trace_id: str) -> list[object]:
    late = time.monotonic() + PATIENCE_S
    while time.monotonic() < late:
        found = [span for span in upstream.spans if span.trace_id.hex() == trace_id]
        if len(found) >= 2:
            return list(found)
        time.sleep(0.05)
    raise AssertionError(f"trace {trace_id} was not exported")


class TestRequestId:
    def test_is_the_callers_where_it_has_one(self, http: httpx.Client) -> None:
        answer = http.get("/ledger/v1/gifts", headers=bearer() | {"x-request-id": "mine-1"})

        assert answer.headers["x-request-id"] == "mine-1"
        assert answer.json()["headers"]["x-request-id"] == "mine-1"

    def test_is_made_where_it_has_none(self, http: httpx.Client) -> None:
        answer = http.get("/ledger/v1/gifts", headers=bearer())

        assert answer.headers["x-request-id"] == answer.json()["headers"]["x-request-id"]


class TestAccessLog:
    def test_tells_each_request_and_none_of_its_secrets(self, open_gateway: Open) -> None:
        gateway = open_gateway()
        signed = token()
        headers = {"Authorization": f"Bearer {signed}", "x-request-id": "logged"}

        httpx.get(f"{gateway.url}/ledger/v1/gifts?code=482913", headers=headers)
        httpx.get(f"{gateway.url}/healthz")
        gateway.envoy.stop()

        log = gateway.envoy.log.read_text()
        (line,) = [json.loads(row) for row in log.splitlines() if row.startswith("{")]
        assert (
            line.items()
            >= {
                "event": "request",
                "method": "GET",
                "path": "/ledger/v1/gifts",
                "status": 200,
                "to": "ledger",
                "user_id": AMINA,
                "request_id": "logged",
            }.items()
        )
        assert "482913" not in log
        assert signed not in log
