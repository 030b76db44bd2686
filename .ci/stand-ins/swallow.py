"""Stands in for the collector and Jaeger: takes whatever is sent and keeps nothing."""

import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

PORTS = (4318, 16686)


class Swallow(BaseHTTPRequestHandler):
    """Answers 200 and nothing to every request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.do_GET()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # ignored by default as process 1
    servers = [ThreadingHTTPServer(("0.0.0.0", port), Swallow) for port in PORTS]  # noqa: S104  inside its container
    for server in servers[1:]:
        Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()
