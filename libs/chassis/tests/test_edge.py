"""What every request meets before and after the route."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hazina.chassis import asgi

from . import given

pytestmark = pytest.mark.anyio

ASK = {"id": "0190a1f0-0000-7000-8000-000000000000", "at": "2026-11-21T05:00:00Z", "on": True}
MEMBERS = {"type", "title", "status", "detail", "instance", "code", "trace_id"}
JSON = {"Content-Type": "application/json"}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(asgi(given.service()))
    async with httpx.AsyncClient(transport=transport, base_url="http://given") as client:
        yield client


async def post(http: httpx.AsyncClient, body: Any) -> httpx.Response:
    return await http.post("/given/v1/asks", content=json.dumps(body), headers=JSON)


def said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


class TestARefusal:
    async def test_has_the_seven_members_and_its_facts(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/given/v1/empty")

        told = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert told.keys() == MEMBERS | {"retry_after_s", "since"}
        assert told["type"] == "/problems/given.empty"
        assert told["title"] == "There is nothing left."
        assert told["detail"] == "come back later"
        assert told["instance"] == "/given/v1/empty"
        assert told["code"] == "given.empty"  # a fact cannot hide a member

    async def test_that_may_pass_says_when(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/given/v1/empty")

        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "7"

    async def test_of_an_unknown_address_is_404(self, http: httpx.AsyncClient) -> None:
        assert said(await http.get("/given/v1/nowhere")) == (404, "address.unknown")
        assert said(await http.get("/given/v1/words/")) == (404, "address.unknown")

    async def test_of_a_method_names_every_method_there(self, http: httpx.AsyncClient) -> None:
        answer = await http.delete("/given/v1/words/tea")

        assert said(answer) == (405, "http.method_not_allowed")
        assert answer.headers["allow"] == "GET, PUT"

    async def test_without_a_database_is_503(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/given/v1/rows")

        assert said(answer) == (503, "service.unavailable")
        assert answer.headers["retry-after"] == "1"


class TestABug:
    async def test_tells_the_caller_nothing_and_the_log_everything(
        self, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.ERROR):
            answer = await http.get("/given/v1/bug")

        assert said(answer) == (500, "service.bug")
        assert answer.json().keys() == MEMBERS
        assert "secret" not in answer.text
        assert "a secret" in caplog.text


async def test_two_transactions_that_crossed_are_no_bug(http: httpx.AsyncClient) -> None:
    answer = await http.get("/given/v1/crossing")

    assert said(answer) == (503, "service.unavailable")
    assert answer.headers["retry-after"] == "1"


class TestABody:
    async def test_of_the_right_shape_passes(self, http: httpx.AsyncClient) -> None:
        answer = await post(http, ASK | {"parts": [{"amount": 3}]})

        assert answer.status_code == 200
        assert answer.json()["parts"] == [{"amount": 3}]

    @pytest.mark.parametrize(
        ("changed", "pointer"),
        [
            ({"more": 1}, "/more"),
            ({"a/b~c": 1}, "/a~1b~0c"),
            ({"on": 1}, "/on"),
            ({"on": "true"}, "/on"),
            ({"at": 1763701200}, "/at"),
            ({"at": "1763701200"}, "/at"),
            ({"at": "2026-11-21T05:00:00"}, "/at"),
            ({"id": 5}, "/id"),
            ({"id": None}, "/id"),
            ({"colour": "blue"}, "/colour"),
            ({"parts": [{"amount": 1}, {"amount": 11}]}, "/parts/1/amount"),
            ({"parts": [{"amount": "1"}]}, "/parts/0/amount"),
            ({"parts": [{"amount": 1.0}]}, "/parts/0/amount"),
            ({"parts": [{"amount": True}]}, "/parts/0/amount"),
            ({"parts": [{"amount": 2**63}]}, "/parts/0/amount"),
            ({"parts": [{"amount": 10**400}]}, "/parts/0/amount"),
            ({"parts": [{"amount": 1e300}]}, "/parts/0/amount"),
            ({"colour": "re\x00d"}, "/colour"),
            ({"re\x00d": 1}, ""),
        ],
    )
    async def test_of_another_shape_is_refused_where_it_differs(
        self, http: httpx.AsyncClient, changed: dict[str, Any], pointer: str
    ) -> None:
        answer = await post(http, ASK | changed)

        assert said(answer) == (422, "validation.failed")
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
        assert all(
            error.keys() == {"pointer", "code", "message"} for error in answer.json()["errors"]
        )

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"nonsense",
            b'{"on": NaN}',
            b'{"on": 1e999}',
            b'{"on": "\xff"}',
            b'{"on": "\\ud800"}',
            b"\x00",
            b"[" * 100_000 + b"]" * 100_000,
            b'{"on":' * 70 + b"12345678901234567890" + b"}" * 70,
        ],
    )
    async def test_that_cannot_be_read_is_400(self, http: httpx.AsyncClient, body: bytes) -> None:
        answer = await http.post("/given/v1/asks", content=body, headers=JSON)

        assert said(answer) == (400, "request.malformed")

    async def test_that_is_missing_is_422(self, http: httpx.AsyncClient) -> None:
        assert said(await http.post("/given/v1/asks")) == (422, "validation.failed")

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
    async def test_of_another_type_is_415(self, http: httpx.AsyncClient, kind: str) -> None:
        answer = await http.post(
            "/given/v1/asks", content=json.dumps(ASK), headers={"Content-Type": kind}
        )

        assert said(answer) == (415, "request.content_type")

    async def test_with_a_long_number_in_text_is_none_of_our_business(
        self, http: httpx.AsyncClient
    ) -> None:
        answer = await http.put(
            "/given/v1/words/tea", content='"\\\\u0000 12345678901234567890"', headers=JSON
        )

        assert answer.status_code == 200

    async def test_announced_too_large_is_refused_unread(self, http: httpx.AsyncClient) -> None:
        async def endless() -> AsyncIterator[bytes]:
            raise AssertionError("the body was read")
            yield b""

        headers = JSON | {"Content-Length": str(1024 * 1024 + 1)}
        answer = await http.post("/given/v1/asks", content=endless(), headers=headers)

        assert said(answer) == (413, "body.too_large")
        assert answer.json()["limit_bytes"] == 1024 * 1024

    async def test_grown_too_large_is_refused_on_the_way(self, http: httpx.AsyncClient) -> None:
        sent = 0

        async def growing() -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                sent += 65_536
                yield b" " * 65_536

        answer = await http.post("/given/v1/asks", content=growing(), headers=JSON)

        assert said(answer) == (413, "body.too_large")
        assert sent <= 1024 * 1024 + 2 * 65_536

    async def test_may_be_larger_where_the_route_says_so(self, http: httpx.AsyncClient) -> None:
        large, larger = (b'"' + b"a" * mib * 1024 * 1024 + b'"' for mib in (7, 8))

        passed = await http.post("/given/v1/bulk", content=large, headers=JSON)
        refused = await http.post("/given/v1/bulk", content=larger, headers=JSON)

        assert passed.json() == {"word": str(len(large))}
        assert said(refused) == (413, "body.too_large")


class TestAnAddress:
    @pytest.mark.parametrize("path", ["/given/v1/words/a%00b", "/given/v1/words/a?q=%00"])
    async def test_with_a_nul_is_400(self, http: httpx.AsyncClient, path: str) -> None:
        assert said(await http.put(path)) == (400, "request.malformed")

    @pytest.mark.parametrize("path", ["/given/v1/words/%ff%fe", "/given/v1/words/a?q=%ed%a0%80"])
    async def test_with_broken_text_is_no_bug(self, http: httpx.AsyncClient, path: str) -> None:
        assert (await http.put(path)).status_code == 200

    @pytest.mark.parametrize("limit", ["0", "201", "9" * 5000, "x", ""])
    async def test_with_a_number_out_of_range_is_422(
        self, http: httpx.AsyncClient, limit: str
    ) -> None:
        answer = await http.get("/given/v1/words", params={"limit": limit})

        assert said(answer) == (422, "validation.failed")
        assert answer.json()["errors"][0]["pointer"] == "/query/limit"


class TestTheNamesOfARequest:
    async def test_are_the_callers(self, http: httpx.AsyncClient) -> None:
        headers = {"X-Request-Id": "mine", "traceparent": PARENT}
        answer = await http.get("/given/v1/bug", headers=headers)

        trace_id, span_id = answer.headers["traceparent"].split("-")[1:3]
        assert answer.headers["x-request-id"] == "mine"
        assert trace_id == "0af7651916cd43dd8448eb211c80319c" == answer.json()["trace_id"]
        assert span_id != "b7ad6b7169203331"

    @pytest.mark.parametrize("sent", [{}, {"X-Request-Id": "a b"}, {"X-Request-Id": "x" * 129}])
    async def test_are_made_when_the_caller_has_none(
        self, http: httpx.AsyncClient, sent: dict[str, str]
    ) -> None:
        answers = [await http.get("/given/v1/words/tea", headers=sent) for _ in range(2)]

        names = [answer.headers["x-request-id"] for answer in answers]
        assert names[0] != names[1]
        assert [len(name) for name in names] == [32, 32]

    async def test_are_made_when_the_callers_are_nonsense(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/given/v1/words/tea", headers={"traceparent": "00-0-0-0"})

        assert len(answer.headers["traceparent"].split("-")[1]) == 32


class TestMetrics:
    async def test_count_by_route_and_not_by_address(self, http: httpx.AsyncClient) -> None:
        for word in ("tea", "milk"):
            await http.put(f"/given/v1/words/{word}")
        told = (await http.get("/metrics")).text

        assert 'method="PUT",route="/given/v1/words/{word}",service="given",status="200"' in told
        assert "milk" not in told
