"""Every way the gateway says no: problem+json, with a code that a client can act on."""

import json
import time

import httpx
import pytest

from .conftest import Open
from .given import OK, Failing, Gateway, Upstream, bearer

pytestmark = pytest.mark.xdist_group("gateway")

MIB = 1024 * 1024
TRACE = "0af7651916cd43dd8448eb211c80319c"


def is_problem(answer: httpx.Response, status: int, code: str) -> bool:
    """Whether this is the gateway's own refusal, whole and told as the services tell theirs."""
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told.keys() >= {"type", "title", "status", "code", "instance", "trace_id"}
    assert told["type"] == f"/problems/{told['code']}"
    assert told["instance"] == answer.request.url.path
    assert told["request_id"] == answer.headers["x-request-id"]
    return (answer.status_code, told["status"], told["code"]) == (status, status, code)


class TestProblem:
    def test_says_that_a_token_is_missing(self, http: httpx.Client) -> None:
        answer = http.get("/ledger/v1/accounts?secret=1")

        assert is_problem(answer, 401, "auth.token_invalid")
        assert answer.json()["detail"] == "Jwt is missing"
        assert "secret" not in answer.text

    def test_carries_the_callers_trace(self, http: httpx.Client) -> None:
        headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "x-request-id": "mine"}

        answer = http.get("/ledger/v1/accounts", headers=headers)

        assert (answer.json()["trace_id"], answer.json()["request_id"]) == (TRACE, "mine")

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/nowhere",
            "/ledger",
            "/ledger/v2/accounts",
            "/ledger/v1x/accounts",
            "/LEDGER/v1/accounts",
            "/healthz/deep",
            "/livez",
            "/readyz",
            "/metrics",
            "/openapi.json",
            "/internal/outbox/0",
            "/internal/authorize/ledger/v1/accounts",
            "/stats",
            "/config_dump",
        ],
    )
    def test_says_that_nothing_answers_there(
        self, http: httpx.Client, upstream: Upstream, path: str
    ) -> None:
        answer = http.get(path, headers=bearer())

        assert is_problem(answer, 404, "route.unknown")
        assert path not in upstream.seen

    @pytest.mark.parametrize("path", ["/_dev/mail", "/identity/v1/dev/messages"])
    def test_hides_development_where_it_was_not_asked_for(self, strict: Gateway, path: str) -> None:
        answer = httpx.get(strict.url + path)

        assert answer.status_code == (401 if path.startswith("/identity") else 404)

    def test_leaves_a_services_own_no_as_it_is(self, http: httpx.Client) -> None:
        answer = http.get("/ledger/v1/status/409", headers=bearer())

        assert (answer.status_code, answer.json()["service"]) == (409, "ledger")

    @pytest.mark.parametrize(
        ("path", "limit"),
        [("/ledger/v1/gifts", MIB), ("/ledger/v1/transfers/bulk", 8 * MIB)],
    )
    def test_says_that_a_body_is_too_large(
        self, http: httpx.Client, upstream: Upstream, path: str, limit: int
    ) -> None:
        whole = http.post(path, content=b"x" * limit, headers=bearer())
        seen = upstream.seen[path]
        larger = http.post(path, content=b"x" * (limit + 1), headers=bearer())

        assert (whole.status_code, whole.json()["bytes"]) == (200, limit)
        assert is_problem(larger, 413, "body.too_large")
        assert upstream.seen[path] == seen

    def test_says_that_headers_are_too_large(self, http: httpx.Client) -> None:
        answer = http.get("/ledger/v1/accounts", headers={"x-much": "x" * 40_000})

        assert (answer.status_code, answer.json()["code"]) == (431, "request.headers_too_large")

    def test_says_that_an_upgrade_is_not_for_this_address(self, http: httpx.Client) -> None:
        headers = bearer() | {"Connection": "Upgrade", "Upgrade": "websocket"}

        assert is_problem(http.get("/ledger/v1/accounts", headers=headers), 403, "auth.forbidden")

    def test_says_that_a_service_is_down_and_when_to_return(self, strict: Gateway) -> None:
        answer = httpx.get(f"{strict.url}/crypto/v1/wallets", headers=bearer("down"))

        assert is_problem(answer, 503, "service.unavailable")
        assert answer.headers["retry-after"] == "1"
        assert "detail" not in answer.json(), "addresses of the inside are nobody's business"

    def test_says_that_an_answer_was_unreadable(self, strict: Gateway) -> None:
        with Failing(strict.crypto_port, b"no HTTP at all\r\n\r\n"):
            answer = httpx.get(f"{strict.url}/crypto/v1/wallets", headers=bearer("unreadable"))

        assert is_problem(answer, 502, "service.unavailable")

    def test_says_that_an_answer_was_late(self, strict: Gateway) -> None:
        with Failing(strict.crypto_port, OK, after_s=0.6):
            answer = httpx.get(f"{strict.url}/crypto/v1/wallets", headers=bearer("late"))

        assert is_problem(answer, 504, "service.timeout")
        assert "retry-after" not in answer.headers, "it may have acted: only a same key is safe"

    def test_says_that_a_request_came_too_slowly(self, open_gateway: Open) -> None:
        def hasty(config: dict[str, object]) -> None:
            manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]  # type: ignore[index]
            manager["typed_config"]["request_headers_timeout"] = "0.2s"

        heard = open_gateway(tweak=hasty).say(b"GET /healthz HTTP/1.1\r\nHost: ha")

        head, _, body = heard.partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 408")
        assert json.loads(body)["code"] == "request.too_slow"


class TestRetry:
    def test_never_repeats_what_reached_a_service(self, strict: Gateway) -> None:
        url = f"{strict.url}/crypto/v1/transfers"

        with Failing(strict.crypto_port, None) as hung_up:
            answer = httpx.post(url, headers=bearer("reached"))

        assert answer.status_code == 503
        assert hung_up.requests == 1

    def test_never_repeats_a_services_no(self, http: httpx.Client, upstream: Upstream) -> None:
        path = "/ledger/v1/once/status/503"
        # A caller must not be able to order retries either.
        orders = {"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "3"}

        http.get(path, headers=bearer() | orders)

        assert upstream.seen[path] == 1

    def test_repeats_what_could_not_reach_it(self, strict: Gateway) -> None:
        before = strict.figure("cluster.crypto.upstream_rq_retry")

        httpx.post(f"{strict.url}/crypto/v1/transfers", headers=bearer("unreached"))

        assert strict.figure("cluster.crypto.upstream_rq_retry") == before + 2

    def test_finds_a_service_again_at_once(self, strict: Gateway) -> None:
        url = f"{strict.url}/crypto/v1/wallets"
        down = httpx.get(url, headers=bearer("again"))

        with Failing(strict.crypto_port, OK):
            up = httpx.get(url, headers=bearer("again"))

        assert (down.status_code, up.status_code, up.text) == (503, 200, "ok")


class TestRateLimit:
    def test_holds_one_user_and_lets_another_pass(self, strict: Gateway) -> None:
        url = f"{strict.url}/ledger/v1/accounts"

        answers = [httpx.get(url, headers=bearer("eager")) for _ in range(20)]
        another = httpx.get(url, headers=bearer("patient"))

        assert {answer.status_code for answer in answers} == {200, 429}
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert is_problem(refused, 429, "rate.limited")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["x-ratelimit-remaining"] == "0"
        assert another.status_code == 200

    def test_lets_a_user_go_on_after_a_while(self, strict: Gateway) -> None:
        url = f"{strict.url}/ledger/v1/accounts"
        while httpx.get(url, headers=bearer("returning")).status_code == 200:
            pass

        time.sleep(1.1)

        assert httpx.get(url, headers=bearer("returning")).status_code == 200

    def test_cannot_be_escaped_by_a_spoofed_user(self, strict: Gateway) -> None:
        url = f"{strict.url}/ledger/v1/accounts"

        answers = [
            httpx.get(url, headers=bearer("sly") | {"x-user-id": f"somebody-{n}"})
            for n in range(20)
        ]

        assert 429 in {answer.status_code for answer in answers}

    def test_counts_a_user_across_services(self, open_gateway: Open) -> None:
        gateway = open_gateway(rates="standard=100/1")

        for service in ("identity", "billing", "ledger", "streaming"):
            answer = httpx.get(f"{gateway.url}/{service}/v1/me", headers=bearer())

        assert int(answer.headers["x-ratelimit-remaining"]) <= 97

    def test_does_not_forget_a_user_when_many_come(self, open_gateway: Open) -> None:
        gateway = open_gateway(rates="standard=100/1")
        with httpx.Client(base_url=gateway.url) as client:
            for _ in range(60):
                client.get("/ledger/v1/accounts", headers=bearer("first"))
            for n in range(40):
                client.get("/ledger/v1/accounts", headers=bearer(f"later-{n}"))

            answer = client.get("/ledger/v1/accounts", headers=bearer("first"))

        assert int(answer.headers["x-ratelimit-remaining"]) < 80

    def test_counts_addresses_where_nobody_is_known(self, strict: Gateway) -> None:
        url = f"{strict.url}/billing/v1/plans"

        answers = [httpx.get(url, headers={"x-forwarded-for": f"203.0.113.{n}"}) for n in range(20)]

        assert {answer.status_code for answer in answers} == {200, 429}


class TestOverload:
    def test_turns_connections_away_above_the_ceiling(self, open_gateway: Open) -> None:
        def narrow(config: dict[str, object]) -> None:
            monitors = config["overload_manager"]["resource_monitors"]  # type: ignore[index]
            monitors[1]["typed_config"]["max_active_downstream_connections"] = 2

        gateway = open_gateway(tweak=narrow)
        clients = [httpx.Client(base_url=gateway.url) for _ in range(3)]

        try:
            assert [client.get("/healthz").status_code for client in clients[:2]] == [200, 200]
            with pytest.raises(httpx.TransportError):
                clients[2].get("/healthz")
        finally:
            for client in clients:
                client.close()
