"""Envoy from the wheel, with the smallest configuration that answers."""

from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from hazina.embedded import Envoy, Trouble, free_port
from hazina.embedded.envoy import validate


def answering(port: int) -> dict[str, Any]:
    """A gateway that answers `hello` to everything."""
    manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = "envoy.extensions.filters.http.router.v3.Router"
    routes = {
        "virtual_hosts": [
            {
                "name": "all",
                "domains": ["*"],
                "routes": [
                    {
                        "match": {"prefix": "/"},
                        "direct_response": {"status": 200, "body": {"inline_string": "hello"}},
                    }
                ],
            }
        ]
    }
    http = {
        "@type": f"type.googleapis.com/{manager}",
        "stat_prefix": "http",
        "route_config": routes,
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"type.googleapis.com/{router}"},
            }
        ],
    }
    chain = {"filters": [{"name": "http", "typed_config": http}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    listener = {"name": "in", "address": address, "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener]}}


class TestEnvoy:
    def test_answers_as_configured(self, tmp_path: Path) -> None:
        port = free_port()

        with Envoy(tmp_path, answering(port)), urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert answer.read() == b"hello"

    def test_says_which_port_is_taken(self, tmp_path: Path) -> None:
        port = free_port()

        with (
            Envoy(tmp_path / "first", answering(port)),
            pytest.raises(Trouble, match=f"port {port} is taken; the gateway cannot listen on it"),
        ):
            Envoy(tmp_path / "second", answering(port)).start()

    def test_says_what_is_wrong_with_its_configuration(self, tmp_path: Path) -> None:
        with pytest.raises(Trouble, match=r"did not start: .*no\s+such\s+field"):
            Envoy(tmp_path, {"nonsense": 1}).start()


class TestValidate:
    def test_passes_a_good_configuration(self, tmp_path: Path) -> None:
        validate(answering(1), tmp_path)

    def test_says_what_is_wrong(self, tmp_path: Path) -> None:
        with pytest.raises(Trouble, match=r"no\s+such\s+field"):
            validate({"nonsense": 1}, tmp_path)
