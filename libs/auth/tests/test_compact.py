import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given as draw
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey

from hazina.auth import StaticKeys, TokenInvalid, compact

from . import given

pytestmark = pytest.mark.anyio

KEY = given.key()
KEYS = StaticKeys(given.key_set(KEY))
TOKEN = given.token(KEY)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


async def refused(token: str) -> bool:
    try:
        await compact.verify(token, KEYS)
    except TokenInvalid:
        return True
    return False


class TestVerify:
    async def test_gives_header_and_payload(self) -> None:
        header, payload = await compact.verify(TOKEN, KEYS)

        assert (header.kid, header.typ) == ("one", "at+jwt")
        assert json.loads(payload) == given.claims()

    @pytest.mark.parametrize(
        "token",
        [
            "",
            ".",
            "..",
            "a.b.c",
            TOKEN + ".",
            TOKEN + "=",
            TOKEN + "\n",
            " " + TOKEN,
            TOKEN.replace(".", "..", 1),
            TOKEN[:-1],
            "é" + TOKEN,
            TOKEN + "." + TOKEN,
            "a" * 5000,
        ],
        ids=range(13),
    )
    async def test_refuses_what_is_not_exactly_three_parts(self, token: str) -> None:
        assert await refused(token)

    @pytest.mark.parametrize(
        "header",
        [
            {"alg": "none"},
            {"alg": "HS256"},
            {"alg": "es256"},
            {"crit": ["exp"], "exp": 1},
            {"b64": False},
            {"jku": "https://evil.example/keys"},
            {"jwk": given.key().as_dict(private=False)},
            {"kid": 7},
            {"kid": None},
            {"kid": "another"},
        ],
        ids=range(10),
    )
    async def test_refuses_any_other_header(self, header: dict[str, object]) -> None:
        head = {"alg": "ES256", "kid": KEY.kid, "typ": "at+jwt"} | header
        _, payload, signature = TOKEN.split(".")

        assert await refused(f"{encode(json.dumps(head).encode())}.{payload}.{signature}")

    async def test_refuses_a_key_of_somebody_else_under_our_kid(self) -> None:
        assert await refused(given.token(given.key()))

    async def test_refuses_hmac_made_with_the_public_key(self) -> None:
        secret = json.dumps(KEY.as_dict(private=False)).encode()
        head = {"alg": "HS256", "kid": KEY.kid}
        forged = jws.serialize_compact(head, b"{}", OctKey.import_key(secret), ["HS256"])

        assert await refused(forged)

    @draw(place=st.integers(0, len(TOKEN) - 1), letter=st.sampled_from(ALPHABET + ".=+/ é\x00"))
    async def test_refuses_a_token_with_any_letter_changed(self, place: int, letter: str) -> None:
        changed = TOKEN[:place] + letter + TOKEN[place + 1 :]

        assert await refused(changed) == (changed != TOKEN)
