"""Tokens, an upstream that tells what reached it, and services that fail on demand."""

import asyncio
import http.client
import json
import re
import socket
import threading
import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Self
from urllib.request import urlopen

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from hazina.embedded import Envoy

ISSUER = "https://identity.hazina.local"
AUDIENCE = "hazina"
SERVICES = ("identity", "billing", "ledger", "streaming")

KEY = ECKey.generate_key("P-256", {"kid": "ours", "use": "sig", "alg": "ES256"})
FOREIGN_KEY = ECKey.generate_key("P-256", {"kid": "ours", "use": "sig", "alg": "ES256"})
AMINA = "01930000-0000-7000-8000-00000000000a"


def claims(user: str = AMINA, **changes: Any) -> dict[str, Any]:
    """What identity says of a signed-in user; a claim changed to None is left out."""
    now = int(time.time())
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": user,
        "sid": "session-1",
        "iat": now,
        "exp": now + 300,
        "aal": 1,
        "org": {"id": "org-1", "type": "personal", "role": "owner", "mv": 1},
    } | changes
    return {name: value for name, value in said.items() if value is not None}


def token(user: str = AMINA, key: ECKey = KEY, **changes: Any) -> str:
    """An access token as identity signs it."""
    header = {"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}
    return jwt.encode(header, claims(user, **changes), key)


def bearer(*args: Any, **changes: Any) -> dict[str, str]:
    """The header of a signed-in user's request."""
    return {"Authorization": f"Bearer {token(*args, **changes)}"}


@dataclass(frozen=True)
class Gateway:
    """A running Envoy; nobody stands at its address for crypto until a test does."""

    envoy: Envoy
    port: int
    crypto_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def figure(self, name: str) -> int:
        """One of Envoy's own counters."""
        with urlopen(f"{self.envoy.admin_url}/stats?filter=^{re.escape(name)}$") as answer:  # noqa: S310  our own address
            return int(answer.read().decode().partition(": ")[2] or 0)

    def say(self, request: bytes) -> str:
        """Send raw bytes, as no well-behaved client would, and read until the end."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as line:
            line.sendall(request)
            heard = b""
            while part := line.recv(65_536):
                heard += part
            return heard.decode()

    def get_raw(self, path: str, *headers: tuple[str, str]) -> tuple[int, dict[str, Any]]:
        """Ask for a path exactly as it is spelt, with headers that may be there twice."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with closing(line):
            line.putrequest("GET", path)
            for name, value in headers:
                line.putheader(name, value)
            line.endheaders()
            answer = line.getresponse()
            return answer.status, json.loads(answer.read())


def row(config: dict[str, Any], address: str) -> dict[str, Any]:
    """Find a route in a rendered configuration by its path or prefix."""
    (listener,) = config["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    for found in manager["route_config"]["virtual_hosts"][0]["routes"]:
        match = found["match"]
        if "route" in found and address in (match.get("path"), match.get("path_separated_prefix")):
            return dict(found)
    raise LookupError(address)


class Upstream:
    """An ASGI application on a port for each service, that answers with what reached it."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.seen: dict[str, int] = defaultdict(int)
        self._sockets = {name: _listening() for name in (*SERVICES, "dev", "collector")}
        config = uvicorn.Config(self, log_level="error", ws="websockets-sansio", interface="asgi3")
        self._server = uvicorn.Server(config)
        sockets = list(self._sockets.values())
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": sockets})

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        for held in self._sockets.values():
            held.close()

    @property
    def services(self) -> dict[str, tuple[str, int]]:
        return {name: self._sockets[name].getsockname() for name in SERVICES}

    @property
    def otlp(self) -> tuple[str, int]:
        return self._at("collector")

    @property
    def dev(self) -> tuple[str, int]:
        return self._at("dev")

    def _at(self, name: str) -> tuple[str, int]:
        host, port = self._sockets[name].getsockname()
        return host, port

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        if scope["type"] == "websocket":
            await _echo_socket(scope, receive, send)
            return
        body = await _read(receive)
        if scope["path"] == "/v1/traces":
            self._keep(body)
            await _answer(send, 200, b"")
            return
        self.seen[scope["path"]] += 1
        if scope["path"] == "/.well-known/jwks.json":
            keys = {"keys": [KEY.as_dict(private=False)]}
            await _answer(send, 200, json.dumps(keys).encode())
            return
        ports = {held.getsockname()[1]: name for name, held in self._sockets.items()}
        told = {
            "service": ports[scope["server"][1]],
            "path": scope["raw_path"].decode(),
            "headers": {key.decode(): value.decode() for key, value in scope["headers"]},
            "bytes": len(body),
        }
        asked = re.search(r"/status/(\d+)$", scope["path"])
        await _answer(send, int(asked[1]) if asked else 200, json.dumps(told).encode())

    def _keep(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)


class Failing:
    """A service at crypto's address that takes each request and fails in one way."""

    def __init__(self, port: int, answer: bytes | None, after_s: float = 0) -> None:
        self.requests = 0
        self._answer = answer
        self._after_s = after_s
        self._listening = _listening(port)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            with line:
                heard = b""
                while b"\r\n\r\n" not in heard and (part := line.recv(65_536)):
                    heard += part
                if not heard:
                    continue
                self.requests += 1
                time.sleep(self._after_s)
                if self._answer is not None:
                    line.sendall(self._answer)


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


def _listening(port: int = 0) -> socket.socket:
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    held.listen(128)
    return held


async def _read(receive: Any) -> bytes:
    body = b""
    while True:
        part = await receive()
        body += part.get("body", b"")
        if not part.get("more_body"):
            return body


async def _answer(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _echo_socket(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    names = {key.decode(): value.decode() for key, value in scope["headers"]}
    await send({"type": "websocket.send", "text": json.dumps(names)})
    while (said := await receive())["type"] == "websocket.receive":
        await asyncio.sleep(0)
        await send({"type": "websocket.send", "text": said.get("text") or ""})
