from typing import Any

import httpx
import pytest

from hazina import ids
from hazina.pg import Database

from ..given import member  # noqa: TID252  makers of the whole service

pytestmark = pytest.mark.anyio


class TestListWallets:
    async def test_shows_the_callers_own(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        amina, wallet = await member(db, "amina")
        await member(db, "juma")

        answer = (await http.get("/crypto/v1/wallets", headers=bearer(amina))).json()

        [shown] = answer["data"]
        assert (shown["id"], shown["handle"]) == (str(wallet), "amina")
        assert (shown["signs_alone"], shown["audited"]) == ("server", False)
        assert not {"user_id", "org_id", "encrypted_key_share"} & shown.keys()

    async def test_shows_none_of_an_organisation_that_is_not_the_callers(
        self, http: httpx.AsyncClient, bearer: Any
    ) -> None:
        answer = await http.get(
            "/crypto/v1/wallets", params={"org_id": str(ids.new())}, headers=bearer(ids.new())
        )

        assert answer.json() == {"data": [], "next_cursor": None}

    async def test_wants_a_token(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/crypto/v1/wallets")).status_code == 401


class TestReadWallet:
    async def test_shows_it_with_its_version(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        amina, wallet = await member(db, "amina")

        answer = await http.get(f"/crypto/v1/wallets/{wallet}", headers=bearer(amina))

        assert answer.headers["ETag"] == '"1"'
        assert answer.json()["wallet_address"].startswith("0x")

    async def test_hides_another_persons(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        _, wallet = await member(db, "amina")

        answer = await http.get(f"/crypto/v1/wallets/{wallet}", headers=bearer(ids.new()))

        assert (answer.status_code, answer.json()["code"]) == (404, "wallet.unknown")


class TestReadHandle:
    @pytest.mark.parametrize("asked", ["amina", "@amina", "@AMINA"])
    async def test_tells_anybody_who_is_paid(
        self, http: httpx.AsyncClient, db: Database, bearer: Any, asked: str
    ) -> None:
        _, wallet = await member(db, "amina")

        answer = await http.get(f"/crypto/v1/handles/{asked}", headers=bearer(ids.new()))

        assert answer.json() == {
            "handle": "amina",
            "wallet_id": str(wallet),
            "chain": "base",
            "wallet_address": answer.json()["wallet_address"],
            "wallet_type": "custodial",
            "display_name": "Amina",
        }

    async def test_knows_nobody_by_a_handle_that_nobody_has(
        self, http: httpx.AsyncClient, bearer: Any
    ) -> None:
        answer = await http.get("/crypto/v1/handles/@nobody", headers=bearer(ids.new()))

        assert (answer.status_code, answer.json()["code"]) == (404, "handle.unknown")
