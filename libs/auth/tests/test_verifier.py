from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from starlette.responses import JSONResponse

from hazina.auth import Caller, Signed, StaticKeys, TokenInvalid, Verifier
from hazina.auth import verifier as verifying
from hazina.problems import Problem

from . import given

pytestmark = pytest.mark.anyio

KEY = given.key()


class Clock:
    now = given.NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that a test moves."""
    return Clock()


@pytest.fixture
def verifier(clock: Clock) -> Verifier:
    """A verifier that trusts one key."""
    keys = StaticKeys(given.key_set(KEY))
    return Verifier(issuer=given.ISSUER, audience=given.AUDIENCE, keys=keys, clock=clock)


class TestVerify:
    @pytest.mark.parametrize("typ", ["JWT", "at+JWT", "", "application/at+jwt"])
    async def test_takes_access_tokens_only(self, verifier: Verifier, typ: str) -> None:
        with pytest.raises(TokenInvalid):
            await verifier.verify(given.token(KEY, typ=typ))

    async def test_refuses_a_token_it_knows_once_it_is_over(
        self, verifier: Verifier, clock: Clock
    ) -> None:
        token = given.token(KEY)
        first = await verifier.verify(token)
        assert await verifier.verify(token) is first

        clock.now += timedelta(seconds=306)

        with pytest.raises(TokenInvalid):
            await verifier.verify(token)

    async def test_remembers_no_more_tokens_than_it_may(
        self, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(verifying, "CACHE_SIZE", 3)
        for n in range(5):
            await verifier.verify(given.token(KEY, given.claims(jti=str(n))))

        assert len(verifier._seen) == 3


Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def ask(verifier: Verifier) -> Ask:
    """Asks a small app that shows who it takes the caller for."""
    app = FastAPI()
    app.state.verifier = verifier

    @app.api_route("/me", methods=["GET", "POST"])
    async def me(caller: Signed) -> str:
        return str(caller.user_id)

    @app.exception_handler(Problem)
    async def refused(_: Any, no: Problem) -> JSONResponse:
        return JSONResponse(no.code, 400)

    async def asked(*authorization: str, method: str = "GET") -> httpx.Response:
        headers = [("authorization", value) for value in authorization]
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            return await http.request(method, "/me", headers=headers)

    return asked


class TestSigned:
    async def test_gives_the_caller(self, ask: Ask) -> None:
        assert (await ask(f"bearer {given.token(KEY)}")).json() == str(given.USER)

    @pytest.mark.parametrize(
        "authorization",
        [(), ("",), ("Bearer",), ("Bearer ",), (given.token(KEY),), (f"Basic {given.token(KEY)}",)],
        ids=range(6),
    )
    async def test_refuses_a_request_without_one(self, ask: Ask, authorization: list[str]) -> None:
        assert (await ask(*authorization)).json() == "auth.token_invalid"

    async def test_refuses_two_at_once(self, ask: Ask) -> None:
        token = f"Bearer {given.token(KEY)}"

        assert (await ask(token, token)).json() == "auth.token_invalid"

    async def test_lets_staff_read_through_a_users_eyes_only(self, ask: Ask) -> None:
        act = {"sub": str(given.ORG), "id": str(given.ORG)}
        token = f"Bearer {given.token(KEY, given.claims(act=act))}"

        assert (await ask(token)).status_code == 200
        assert (await ask(token, method="POST")).json() == "auth.impersonation_read_only"

    async def test_works_for_a_websocket(self, verifier: Verifier) -> None:
        app = FastAPI()
        app.state.verifier = verifier
        said: list[Any] = []

        @app.websocket("/live")
        async def live(socket: WebSocket, caller: Signed) -> None:
            await socket.accept()
            await socket.send_text(str(caller.user_id))

        async def receive() -> dict[str, str]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            said.append(message)

        headers = [(b"authorization", f"Bearer {given.token(KEY)}".encode())]
        scope = {"type": "websocket", "path": "/live", "query_string": b"", "headers": headers}
        await app(scope, receive, send)

        assert said[1]["text"] == str(given.USER)


def test_a_caller_is_a_user_or_a_service() -> None:
    with pytest.raises(AssertionError):
        Caller()
