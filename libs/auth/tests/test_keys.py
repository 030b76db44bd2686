import asyncio
from typing import Any

import httpx
import pytest

from hazina.auth import KeySetRefused, RemoteKeys, StaticKeys
from hazina.problems import Unavailable

from . import given

pytestmark = pytest.mark.anyio


class Identity:
    """What answers at the JWKS address, and how often it was asked."""

    def __init__(self, *keys: Any) -> None:
        self.keys, self.asked, self.down, self.now = list(keys), 0, False, 0.0
        self.remote = RemoteKeys(
            "http://identity/jwks",
            monotonic=lambda: self.now,
            transport=httpx.MockTransport(self.answer),
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.down:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json=given.key_set(*self.keys))

    async def finds(self, kid: str) -> bool:
        return await self.remote.find(kid) is not None


class TestRemoteKeys:
    async def test_fetches_once_for_a_crowd(self) -> None:
        identity = Identity(given.key("one"))

        assert all(await asyncio.gather(*(identity.finds("one") for _ in range(50))))
        assert identity.asked == 1

    async def test_asks_for_an_unknown_kid_at_most_every_five_seconds(self) -> None:
        identity = Identity(given.key("one"))
        await identity.finds("one")
        identity.now = 5

        for _ in range(20):
            assert not await identity.finds("made-up")

        assert identity.asked == 2

    async def test_finds_a_key_that_was_added(self) -> None:
        identity = Identity(given.key("one"))
        await identity.finds("one")
        identity.keys.append(given.key("two"))
        identity.now = 5

        assert await identity.finds("two")

    async def test_keeps_the_last_keys_while_identity_is_down(self) -> None:
        identity = Identity(given.key("one"))
        await identity.finds("one")
        identity.down, identity.now = True, 10_000

        assert await identity.finds("one")
        await asyncio.sleep(0)
        assert await identity.finds("one")
        assert not await identity.finds("two")

    async def test_forgets_a_key_that_is_no_longer_there(self) -> None:
        identity = Identity(given.key("one"), given.key("two"))
        await identity.finds("one")
        del identity.keys[0]
        identity.now = 601

        await identity.finds("one")  # served, and fetched beside
        await asyncio.sleep(0.05)

        assert not await identity.finds("one")

    async def test_is_unavailable_until_keys_were_fetched_once(self) -> None:
        identity = Identity(given.key("one"))
        identity.down = True
        with pytest.raises(Unavailable):
            await identity.finds("one")

        identity.down, identity.now = False, 5

        assert await identity.finds("one")

    async def test_takes_no_empty_set_for_an_answer(self) -> None:
        identity = Identity(given.key("one"))
        await identity.finds("one")
        identity.keys, identity.now = [], 601

        await identity.finds("one")
        await asyncio.sleep(0.05)

        assert await identity.finds("one")


class TestStaticKeys:
    @pytest.mark.parametrize(
        "document",
        [
            None,
            [],
            {},
            {"keys": {}},
            {"keys": ["x"]},
            {"keys": [given.key().as_dict(private=True)]},
            {"keys": [{"kty": "oct", "k": "AAAA"}]},
            given.key_set(given.key("same"), given.key("same")),
            given.key_set(*(given.key(str(n)) for n in range(33))),
        ],
        ids=range(9),
    )
    def test_refuses_a_set_that_is_not_to_be_trusted(self, document: object) -> None:
        with pytest.raises(KeySetRefused):
            StaticKeys(document)

    @pytest.mark.parametrize(
        "changed",
        [
            {"alg": "ES384"},
            {"use": "enc"},
            {"kty": "OKP"},
            {"crv": "P-384"},
            {"kid": ""},
            {"kid": 1},
            {"key_ops": ["encrypt"]},
            {"x": "AAAA"},
            {"y": 5},
        ],
        ids=str,
    )
    async def test_leaves_out_a_key_that_is_not_ours(self, changed: dict[str, object]) -> None:
        jwk = given.key("one").as_dict(private=False) | changed

        assert await StaticKeys({"keys": [jwk]}).find(str(jwk["kid"])) is None
