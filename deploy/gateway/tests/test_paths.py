"""Tricks with paths: whatever the spelling, a request meets the rules of where it really goes."""

import pytest

from .given import Gateway, Upstream, bearer

pytestmark = pytest.mark.xdist_group("gateway")


class TestPath:
    @pytest.mark.parametrize(
        "path",
        [
            "/identity/v1/auth/..%2fme",
            "/identity/v1/auth/..%2Fme",
            "/identity/v1/auth%2f..%2fme",
            "/identity/v1/auth/..%5cme",
            "/ledger/v1/webhooks/..%2f..%2f..%2finternal/outbox/0",
        ],
    )
    def test_with_escaped_slashes_is_refused(self, gateway: Gateway, path: str) -> None:
        status, told = gateway.get_raw(path)

        assert (status, told["code"]) == (400, "request.malformed")

    @pytest.mark.parametrize(
        "path",
        [
            "/identity/v1/auth/../me",
            "/identity/v1/auth/%2e%2e/me",
            "/identity/v1/auth/.%2E/me",
            "/identity/v1/auth/./../me",
            "/identity/v1/auth//../../v1//me",
            "/identity//v1/me",
            "//identity/v1/me",
            "/_dev/../identity/v1/me",
            "/identity/v1/auth\\..\\me",
        ],
    )
    def test_that_climbs_out_of_a_public_one_needs_a_token(
        self, gateway: Gateway, upstream: Upstream, path: str
    ) -> None:
        status, _ = gateway.get_raw(path)

        assert status == 401
        assert "/identity/v1/me" not in upstream.seen

    @pytest.mark.parametrize(
        "path",
        [
            "/ledger/v1/../../internal/outbox/0",
            "/ledger/v1/%2e%2e/%2e%2e/metrics",
            "/ledger/v1/webhooks/../../../livez",
            "//internal/outbox/0",
            "/internal//outbox/0",
            "/./internal/outbox/0",
            "/%69nternal/outbox/0",
        ],
    )
    def test_that_climbs_to_the_inside_finds_nothing(
        self, gateway: Gateway, upstream: Upstream, path: str
    ) -> None:
        status, _ = gateway.get_raw(path, *bearer().items())

        assert status == 404
        assert not any("internal" in seen or "metrics" in seen for seen in upstream.seen)

    def test_reaches_the_service_as_the_rules_read_it(self, gateway: Gateway) -> None:
        _, told = gateway.get_raw("/ledger//v1/./a/../accounts?x=1", *bearer().items())

        assert told["path"] == "/ledger/v1/accounts"
