"""Wycheproof's JWS and JWK vectors, unmodified: nothing invalid is ever accepted."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hazina.auth import KeySetRefused, StaticKeys, TokenInvalid, compact

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        "HAZINA_VECTORS" not in os.environ,
        reason="HAZINA_VECTORS does not name the folder that holds Wycheproof's vectors",
    ),
]
PUBLIC = ("kty", "crv", "x", "y", "kid", "alg", "use", "key_ops")


def vectors(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    path = Path(os.environ["HAZINA_VECTORS"]) / "wycheproof" / name
    groups = json.loads(path.read_text())["testGroups"]
    return [(group, test) for group in groups for test in group["tests"]]


def public(key: dict[str, Any]) -> dict[str, Any]:
    """Give the public half of an EC key; other kinds as they are, for our reader to refuse."""
    return {name: key[name] for name in PUBLIC if name in key} if key["kty"] == "EC" else key


async def accepts(jwks: dict[str, Any], token: str) -> bool:
    try:
        await compact.verify(token, StaticKeys(jwks))
    except (TokenInvalid, KeySetRefused):
        return False
    return True


class TestSignatures:
    async def test_accepts_nothing_invalid_of_all_401(self) -> None:
        seen, wrong = 0, []
        for group, test in vectors("json_web_signature_test.json"):
            jwks = {"keys": [public(group.get("public", group["private"]))]}
            taken = await accepts(jwks, test["jws"])
            seen += 1
            if taken and test["result"] == "invalid":
                wrong.append(test["tcId"])
        assert (seen, wrong) == (401, [])

    async def test_accepts_every_valid_one_that_is_es256(self) -> None:
        taken = []
        for group, test in vectors("json_web_signature_test.json"):
            jwk = public(group.get("public", group["private"]))
            if test["result"] == "valid" and jwk.get("alg") == "ES256":
                taken.append(await accepts({"keys": [jwk]}, test["jws"]))
        assert taken == [True, True]


class TestKeySets:
    async def test_accepts_nothing_invalid_of_all_26(self) -> None:
        wrong = []
        cases = vectors("json_web_key_test.json")
        for group, test in cases:
            keys = group.get("public", group["private"])["keys"]
            taken = await accepts({"keys": [public(key) for key in keys]}, test["jws"])
            if taken and test["result"] == "invalid":
                wrong.append(test["tcId"])
        assert (len(cases), wrong) == (26, [])
