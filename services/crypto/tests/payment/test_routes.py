import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from hazina import ids
from hazina.pg import SERVICE, Database

from ..given import holds, issue, member, rows, told, unlawful  # noqa: TID252  makers of the whole service

pytestmark = pytest.mark.anyio

URL = "/crypto/v1/transfers"


def ask(to: str, amount: str = "2.5", **more: Any) -> dict[str, Any]:
    return {"to": to, "token": "VIBES", "amount": amount, **more}


class TestPostTransfer:
    async def test_pays_a_handle_and_says_so(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        amina, from_wallet = await member(db, "amina")
        juma, to_wallet = await member(db, "juma")
        await issue(db, from_wallet, 10 * 10**8)

        answer = await http.post(
            URL,
            json=ask("@Juma", type="tip", note="asante"),
            headers={**bearer(amina), "Idempotency-Key": "t1"},
        )

        assert answer.status_code == 201
        said = answer.json()
        assert said == {
            "id": said["id"],
            "from_wallet_id": str(from_wallet),
            "to_wallet_id": str(to_wallet),
            "from_address": None,
            "to_address": None,
            "amount": "2.50000000",
            "fee": "0.00000000",
            "token": "VIBES",
            "chain": "internal",
            "tx_hash": None,
            "status": "confirmed",
            "type": "tip",
            "metadata": {},
            "note": "asante",
            "block_height": None,
            "created_at": said["created_at"],
            "confirmed_at": said["created_at"],
        }
        assert await holds(db, from_wallet) == 750_000_000
        assert await holds(db, to_wallet) == 250_000_000
        [event] = await told(db, "crypto.transfer.completed")
        assert (event["amount_base"], event["to_user_id"]) == ("250000000", str(juma))
        for who in (amina, juma):
            seen = await http.get(f"/crypto/v1/transactions/{said['id']}", headers=bearer(who))
            assert seen.json() == said

    async def test_asked_twice_pays_once(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        amina, wallet = await member(db, "amina")
        _, other = await member(db, "juma")
        await issue(db, wallet, 10 * 10**8)
        asked = {"json": ask("@juma"), "headers": {**bearer(amina), "Idempotency-Key": "t1"}}

        answers = await asyncio.gather(*(http.post(URL, **asked) for _ in range(8)))

        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.text for answer in answers}) == 1
        assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 7
        assert await holds(db, other) == 250_000_000
        changed = await http.post(URL, json=ask("@juma", "3"), headers=asked["headers"])
        assert (changed.status_code, changed.json()["field"]) == (422, "/amount")

    async def test_never_overdraws_under_a_crowd(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        amina, wallet = await member(db, "amina")
        _, other = await member(db, "juma")
        await issue(db, wallet, 100)

        answers = await asyncio.gather(
            *(
                http.post(
                    URL,
                    json=ask("@juma", "0.000001"),
                    headers={**bearer(amina), "Idempotency-Key": f"t{n}"},
                )
                for n in range(16)
            )
        )

        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 15
        assert (await holds(db, wallet), await holds(db, other)) == (0, 100)
        assert await unlawful(db) == []

    async def test_says_no_as_a_problem(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        amina, wallet = await member(db, "amina")
        await member(db, "juma")
        await issue(db, wallet, 100)

        answer = await http.post(
            URL, json=ask("@juma"), headers={**bearer(amina), "Idempotency-Key": "t1"}
        )

        assert answer.status_code == 409
        assert answer.json() == {
            "type": "/problems/transfer.insufficient_funds",
            "title": "The wallet has less available than the amount asked for.",
            "status": 409,
            "detail": "The wallet has less available than the amount asked for.",
            "instance": URL,
            "code": "transfer.insufficient_funds",
            "trace_id": answer.json()["trace_id"],
            "available": "0.00000100",
        }
        assert await rows(db, "select from crypto_transactions where type = 'transfer'") == []

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            (ask("@nobody"), 404, "handle.unknown"),
            (ask(str(ids.new())), 404, "wallet.unknown"),
            (ask("@juma", from_wallet_id=str(ids.new())), 404, "wallet.unknown"),
            (ask("@amina"), 422, "transfer.same_wallet"),
            (ask("@juma", "0.000000005"), 422, "amount.precision"),
            ({**ask("@juma"), "token": "DOGE"}, 404, "token.unknown"),
            (ask("@juma", "0"), 422, "validation.failed"),
            ({**ask("@juma"), "amount": 2.5}, 422, "validation.failed"),
            (ask("juma"), 422, "validation.failed"),
            (ask("@juma", note="a\u0000b"), 422, "validation.failed"),
            (ask("@juma", unknown=1), 422, "validation.failed"),
        ],
    )
    async def test_refuses(
        self,
        http: httpx.AsyncClient,
        db: Database,
        bearer: Any,
        *,
        body: dict[str, Any],
        status: int,
        code: str,
    ) -> None:
        amina, wallet = await member(db, "amina")
        await member(db, "juma")
        await issue(db, wallet, 10**9)

        answer = await http.post(URL, json=body, headers={**bearer(amina), "Idempotency-Key": "t"})

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert await holds(db, wallet) == 10**9

    async def test_wants_a_name_for_the_attempt(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        amina, _ = await member(db, "amina")

        answer = await http.post(URL, json=ask("@juma"), headers=bearer(amina))

        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency.key_missing")

    async def test_never_pays_from_somebody_elses_wallet(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        amina, _ = await member(db, "amina")
        _, theirs = await member(db, "juma")
        await issue(db, theirs, 10**9)

        answer = await http.post(
            URL,
            json=ask("@amina", from_wallet_id=str(theirs)),
            headers={**bearer(amina), "Idempotency-Key": "t"},
        )

        assert (answer.status_code, answer.json()["code"]) == (404, "wallet.unknown")
        assert await holds(db, theirs) == 10**9

    async def test_lets_nothing_leave_a_frozen_wallet(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        amina, wallet = await member(db, "amina")
        juma, theirs = await member(db, "juma")
        for each in (wallet, theirs):
            await issue(db, each, 10**9)
        async with db.transaction(SERVICE) as tx:
            await tx.execute(
                text(
                    "update crypto_wallets set frozen_at = now(), frozen_reason = 'test'"
                    " where id = :id"
                ),
                {"id": wallet},
            )

        out = await http.post(
            URL, json=ask("@juma"), headers={**bearer(amina), "Idempotency-Key": "t"}
        )
        into = await http.post(
            URL, json=ask("@amina"), headers={**bearer(juma), "Idempotency-Key": "t"}
        )

        assert out.json()["code"] == "wallet.frozen"
        assert into.json()["code"] == "transfer.recipient_unavailable"


class TestReadBalances:
    async def test_shows_vibes_first_and_always(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        amina, wallet = await member(db, "amina")
        url = f"/crypto/v1/wallets/{wallet}/balances"

        empty = (await http.get(url, headers=bearer(amina))).json()
        await issue(db, wallet, 20447946344588791, "ETH")
        await issue(db, wallet, 5)
        full = (await http.get(url, headers=bearer(amina))).json()

        nothing = "0.00000000"
        assert empty["wallet_id"] == str(wallet)
        assert empty["data"] == [
            {
                "token": "VIBES",
                "available_balance": nothing,
                "held_balance": nothing,
                "staked_balance": nothing,
                "pending_rewards": nothing,
                "lifetime_earned": nothing,
                "on_chain": None,
            }
        ]
        assert [(row["token"], row["available_balance"]) for row in full["data"]] == [
            ("VIBES", "0.00000005"),
            ("ETH", "0.020447946344588791"),
        ]

    async def test_hides_other_peoples_wallets(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        _, wallet = await member(db, "amina")

        answer = await http.get(f"/crypto/v1/wallets/{wallet}/balances", headers=bearer(ids.new()))

        assert (answer.status_code, answer.json()["code"]) == (404, "wallet.unknown")


class TestListTransactions:
    async def test_shows_the_newest_first_page_by_page(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        amina, wallet = await member(db, "amina")
        await member(db, "juma")
        await issue(db, wallet, 10**10)
        for n in range(1, 6):
            await http.post(
                URL, json=ask("@juma", f"{n}"), headers={**bearer(amina), "Idempotency-Key": f"{n}"}
            )

        first = (
            await http.get("/crypto/v1/transactions?limit=3&type=transfer", headers=bearer(amina))
        ).json()
        rest = (
            await http.get(
                "/crypto/v1/transactions",
                params={"limit": 3, "type": "transfer", "cursor": first["next_cursor"]},
                headers=bearer(amina),
            )
        ).json()

        shown = [row["amount"] for row in [*first["data"], *rest["data"]]]
        assert shown == [f"{n}.00000000" for n in (5, 4, 3, 2, 1)]
        assert rest["next_cursor"] is None
        stranger = await http.get("/crypto/v1/transactions", headers=bearer(ids.new()))
        assert stranger.json() == {"data": [], "next_cursor": None}

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ({"to": "2026-03-01T12:00:00Z"}, 0),
            ({"from": "2026-03-01T12:00:00Z", "to": "2026-03-01T12:00:01Z"}, 1),
            ({"from": "2026-03-01T15:00:01+03:00"}, 0),
            ({"token": "VIBES", "status": "confirmed", "type": "reward"}, 1),
            ({"token": "USDC"}, 0),
        ],
    )
    async def test_shows_what_is_asked_for(
        self, http: httpx.AsyncClient, db: Database, bearer: Any, *, query: Any, count: int
    ) -> None:
        amina, wallet = await member(db, "amina")
        await issue(db, wallet, 5)

        answer = await http.get("/crypto/v1/transactions", params=query, headers=bearer(amina))

        assert len(answer.json()["data"]) == count

    @pytest.mark.parametrize("at", ["0.5", "1772366400", "2026-03-01", "2026-03-01T12:00:00"])
    async def test_takes_no_time_without_its_zone(
        self, http: httpx.AsyncClient, bearer: Any, at: str
    ) -> None:
        answer = await http.get(
            "/crypto/v1/transactions", params={"from": at}, headers=bearer(ids.new())
        )

        assert (answer.status_code, answer.json()["code"]) == (422, "validation.failed")


class TestPostIssuance:
    URL = "/crypto/v1/vibes/issuances"

    def staff(self, bearer: Any, key: str = "i1", role: str = "super_admin", aal: int = 2) -> Any:
        return {
            **bearer(ids.new(), platform_role=role, aal=aal),
            "Idempotency-Key": key,
        }

    async def test_makes_new_tokens_for_a_wallet(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        amina, wallet = await member(db, "amina")
        body = {"to": str(wallet), "amount": "500", "reason": "genesis"}
        headers = self.staff(bearer)

        answers = [await http.post(self.URL, json=body, headers=headers) for _ in (1, 2)]

        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        assert (answers[0].json()["amount"], answers[0].json()["note"]) == (
            "500.00000000",
            "genesis",
        )
        assert await holds(db, wallet) == 500 * 10**8
        assert await unlawful(db) == []
        seen = await http.get("/crypto/v1/transactions", headers=bearer(amina))
        assert len(seen.json()["data"]) == 1

    async def test_makes_new_tokens_for_the_house(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        body = {"to": "stake_rewards", "amount": "1000", "reason": "genesis"}

        assert (await http.post(self.URL, json=body, headers=self.staff(bearer))).status_code == 201

        found = await rows(
            db,
            "select account, sum(balance_base) as base from house_balances group by 1 order by 1",
        )
        assert [(row.account, int(row.base)) for row in found] == [
            ("issuance", -(10**11)),
            ("stake_rewards", 10**11),
        ]

    async def test_never_passes_the_cap_under_a_crowd(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        body = {"to": "rewards", "amount": "3000000000", "reason": "too much"}

        answers = await asyncio.gather(
            *(http.post(self.URL, json=body, headers=self.staff(bearer, f"i{n}")) for n in range(6))
        )

        assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 3
        refused = next(answer.json() for answer in answers if answer.status_code == 409)
        assert (refused["code"], refused["left"]) == ("vibes.supply_cap", "1000000000.00000000")
        assert await unlawful(db) == []

    @pytest.mark.parametrize(
        ("role", "aal", "status", "code"),
        [
            ("user", 2, 403, "auth.forbidden"),
            ("admin", 2, 403, "auth.forbidden"),
            ("super_admin", 1, 401, "auth.step_up_required"),
        ],
    )
    async def test_is_for_super_admins(
        self, http: httpx.AsyncClient, bearer: Any, *, role: str, aal: int, status: int, code: str
    ) -> None:
        body = {"to": "rewards", "amount": "1", "reason": "mine"}

        answer = await http.post(
            self.URL, json=body, headers=self.staff(bearer, role=role, aal=aal)
        )

        assert (answer.status_code, answer.json()["code"]) == (status, code)

    async def test_knows_no_wallet_that_is_not_there(
        self, http: httpx.AsyncClient, bearer: Any
    ) -> None:
        body = {"to": str(ids.new()), "amount": "1", "reason": "lost"}

        answer = await http.post(self.URL, json=body, headers=self.staff(bearer))

        assert (answer.status_code, answer.json()["code"]) == (404, "wallet.unknown")
