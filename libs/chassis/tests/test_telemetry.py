"""Spans as a collector receives them, and log lines as a person searches them."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from hazina.chassis.logs import JsonLines

ASK = """
import asyncio, httpx
from hazina.chassis import asgi, telemetry
from libs.chassis.tests import given

flush = telemetry.start("given")

async def ask():
    transport = httpx.ASGITransport(asgi(given.service()))
    async with httpx.AsyncClient(transport=transport, base_url="http://given") as client:
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        await client.get("/given/v1/words/tea", headers={"traceparent": parent})
        await client.get("/given/v1/bug")
        await client.get("/livez")

asyncio.run(ask())
flush()
"""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    """A place that spans are sent to, and the spans it got."""
    got: list[Any] = []

    class Receive(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = ExportTraceServiceRequest()
            told.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
            got.extend(
                span
                for resource in told.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receive) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()
        thread.join()


class TestTraces:
    def test_reach_the_collector_below_their_caller(
        self, collector: tuple[str, list[Any]], pytestconfig: pytest.Config
    ) -> None:
        url, got = collector
        subprocess.run(  # noqa: S603  our own interpreter, on a program of ours
            [sys.executable, "-W", "ignore", "-c", ASK],
            check=True,
            cwd=pytestconfig.rootpath,
            env=os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "PYTHONPATH": "."},
        )

        spans = {span.name: span for span in got}
        assert spans.keys() == {"GET /given/v1/words/{word}", "GET /given/v1/bug"}
        below = spans["GET /given/v1/words/{word}"]
        assert below.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
        assert below.parent_span_id.hex() == "b7ad6b7169203331"
        assert spans["GET /given/v1/bug"].status.code == 2
        assert [event.name for event in spans["GET /given/v1/bug"].events] == ["exception"]


class TestALogLine:
    def test_is_json_with_its_facts(self) -> None:
        record = logging.LogRecord("hazina", logging.WARNING, "", 1, "gift %s", ("sent",), None)
        record.gift_id = "g1"

        line = json.loads(JsonLines("given").format(record))

        assert line.pop("time").endswith("+00:00")
        assert line == {
            "level": "warn",
            "service": "given",
            "event": "gift sent",
            "logger": "hazina",
            "gift_id": "g1",
        }

    def test_stays_one_line_whatever_is_in_it(self) -> None:
        record = logging.LogRecord("hazina", logging.ERROR, "", 1, "a\nb", (), None)

        assert "\n" not in JsonLines("given").format(record)
