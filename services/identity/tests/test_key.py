import os
from datetime import UTC, datetime, timedelta
from typing import get_args

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from hazina.pg import SERVICE, Database
from hazina.standard import MovableClock
from identity.key import actions, rules
from identity.key.rules import SigningKey, State
from identity.vault import SealBroken, Vault

from .given import People

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def key(kid: str, state: State, age: timedelta) -> SigningKey:
    return SigningKey(kid, b"", {"kid": kid}, state, NOW - age)


def after(keys: list[SigningKey], now: datetime) -> list[SigningKey]:
    """Apply a rotation, as the store would."""
    moves, needed = rules.rotate(keys, now)
    by_kid = {each.kid: each for each in keys}
    for move in moves:
        old = by_kid.pop(move.kid)
        if move.to is not None:
            by_kid[old.kid] = SigningKey(old.kid, b"", old.public, move.to, now)
    for state in needed:
        kid = f"{state}-{now.isoformat()}"
        by_kid[kid] = SigningKey(kid, b"", {"kid": kid}, state, now)
    return list(by_kid.values())


class TestRotate:
    def test_makes_an_active_and_a_standby_of_nothing(self) -> None:
        assert rules.rotate([], NOW) == ([], ["active", "standby"])

    def test_leaves_young_keys_alone(self) -> None:
        keys = [key("a", "active", timedelta(days=89)), key("s", "standby", timedelta(days=89))]

        assert rules.rotate(keys, NOW) == ([], [])

    def test_waits_until_the_next_key_was_published_for_a_day(self) -> None:
        keys = [key("a", "active", timedelta(days=91)), key("s", "standby", timedelta(hours=23))]

        assert rules.rotate(keys, NOW) == ([], [])

    @given(st.lists(st.integers(1, 60 * 24 * 40), max_size=30))
    def test_always_has_one_to_sign_and_one_in_wait(self, waits_min: list[int]) -> None:
        keys, now = after([], NOW), NOW
        for wait in waits_min:
            now += timedelta(minutes=wait)
            signed_last = next(each for each in keys if each.state == "active")
            keys = after(keys, now)
            states = [each.state for each in keys]
            assert (states.count("active"), states.count("standby")) == (1, 1)
            published = {jwk["kid"] for jwk in rules.published(keys)["keys"]}
            assert signed_last.kid in published, "its tokens live five minutes more"

    def test_takes_back_only_keys_that_are_there(self) -> None:
        keys = [key("a", "active", timedelta(0))]
        rules.require_known(keys, "a")

        with pytest.raises(rules.KeyUnknown):
            rules.require_known(keys, "b")

    def test_knows_every_state(self) -> None:
        assert set(get_args(State)) == {"standby", "active", "retiring", "revoked"}


class TestVault:
    @given(st.binary(max_size=200), st.text(max_size=20))
    def test_opens_what_it_sealed_for_that_place_only(self, secret: bytes, place: str) -> None:
        vault = Vault(b"k" * 32)
        sealed = vault.seal(secret, place=place)

        assert vault.open(sealed, place=place) == secret
        for broken, at in [
            (sealed[:-1], place),
            (sealed, place + "x"),
            (b"\2" + sealed[1:], place),
        ]:
            with pytest.raises(SealBroken):
                vault.open(broken, place=at)
        with pytest.raises(SealBroken):
            Vault(b"o" * 32).open(sealed, place=place)

    def test_marks_alike_what_is_alike_for_one_purpose(self) -> None:
        vault = Vault(os.urandom(32))

        assert vault.mark("a", 1, "2") == vault.mark("a", "1", 2)
        assert vault.mark("a", "12") != vault.mark("a", "1", "2")
        assert vault.mark("a", "1") != vault.mark("b", "1")


@pytest.mark.anyio
class TestJwks:
    async def test_publishes_the_keys_with_a_tag(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/.well-known/jwks.json")

        keys = answer.json()["keys"]
        assert len(keys) == 2
        for jwk in keys:
            assert jwk.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
        assert answer.headers["cache-control"] == "public, max-age=600"
        tag = {"If-None-Match": answer.headers["etag"]}
        assert (await http.get("/.well-known/jwks.json", headers=tag)).status_code == 304

    async def test_keeps_private_halves_sealed(self, http: httpx.AsyncClient, db: Database) -> None:
        await http.get("/.well-known/jwks.json")

        async with db.reading(SERVICE) as tx:
            rows = (await tx.execute(text("select private_enc from signing_keys"))).scalars().all()
        assert len(rows) == 2
        assert all(b'"d"' not in row for row in rows)

    async def test_rotates_without_a_token_lost(
        self, people: People, clock: MovableClock, app: FastAPI, db: Database
    ) -> None:
        vault = app.state.trust.vault
        await people.sign_up("amina")
        clock.move(days=91)
        before = (await people.log_in()).json()["access_token"]
        assert await actions.rotate(db, vault, clock()) == 3
        clock.move(seconds=31)

        after_ = (await people.log_in()).json()["access_token"]

        for token in (before, after_):
            headers = {"Authorization": f"Bearer {token}"}
            assert (await people.http.get("/identity/v1/me", headers=headers)).status_code == 200
        assert before.split(".")[0] != after_.split(".")[0]

    async def test_takes_a_key_back_at_once(
        self, people: People, clock: MovableClock, app: FastAPI, db: Database
    ) -> None:
        amina = await people.sign_up("amina")
        async with db.reading(SERVICE) as tx:
            active = text("select kid from signing_keys where state = 'active'")
            kid = (await tx.execute(active)).scalar_one()

        await actions.revoke(db, app.state.trust.vault, kid, clock())

        await app.state.verifier.revocations.refresh()
        assert (await amina.get("/me")).json()["code"] == "auth.token_invalid"
        clock.move(seconds=31)
        amina.tokens = (await people.log_in()).json()
        assert (await amina.get("/me")).status_code == 200
