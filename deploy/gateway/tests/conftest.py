"""A real Envoy between real HTTP and an upstream that tells what reached it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hazina.embedded import Envoy, free_port
from hazina_gateway import render

from .given import AUDIENCE, ISSUER, Gateway, Upstream, row

Open = Callable[..., Gateway]


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """Every service but crypto, the trace sink, and the dev pages, behind one echo."""
    with Upstream() as running:
        yield running


@pytest.fixture(scope="session")
def open_gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Start gateways in front of the upstream, each with its own changes."""
    running: list[Envoy] = []

    def start(
        *, tweak: Callable[[dict[str, Any]], None] = lambda _: None, **changes: Any
    ) -> Gateway:
        port, crypto = free_port(), free_port()
        asked: dict[str, Any] = {
            "services": upstream.services | {"crypto": ("127.0.0.1", crypto)},
            "listen": ("127.0.0.1", port),
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "otlp": upstream.otlp,
            "dev": upstream.dev,
            "rates": "off",
        }
        config = render(**asked | changes)
        tweak(config)
        envoy = Envoy(Path(tmp_path_factory.mktemp("envoy")), config)
        running.append(envoy)
        envoy.start()
        return Gateway(envoy, port, crypto)

    yield start
    for envoy in running:
        envoy.stop()


@pytest.fixture(scope="session")
def gateway(open_gateway: Open) -> Gateway:
    """The gateway as it is rendered, its limits lifted."""
    return open_gateway()


@pytest.fixture(scope="session")
def strict(open_gateway: Open) -> Gateway:
    """A gateway without development rows, of few requests a caller and little patience."""

    def impatient(config: dict[str, Any]) -> None:
        row(config, "/crypto/v1")["route"]["timeout"] = "0.3s"

    return open_gateway(tweak=impatient, dev=None, rates="standard=3/1 public=3/1")


@pytest.fixture(scope="session")
def http(gateway: Gateway) -> Iterator[httpx.Client]:
    """A client of the gateway."""
    with httpx.Client(base_url=gateway.url) as client:
        yield client
