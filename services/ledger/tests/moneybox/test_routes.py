"""Moneyboxes and commissions over HTTP, on a real book."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from hazina import ids
from hazina.pg import SERVICE, Database
from hazina.standard.clock import MovableClock
from ledger.account import actions as accounts
from ledger.account.rules import Purpose, Standing, State, of_user
from ledger.audit import actions as audit
from ledger.moneybox import actions
from ledger.posting.actions import Book

from ..people import Bearer, ask, grant, welcome  # noqa: TID252
from .given import PLATFORM, Saver, money, of_house

pytestmark = pytest.mark.anyio

NO_ORG = {"owner_type": "org", "owner_id": str(ids.new())}


@pytest.fixture
async def juma(http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer) -> Saver:
    """Somebody with a hundred thousand cents, and no moneybox yet."""
    person = await welcome(db)
    await grant(db, book, person, 100_000, "KES")
    return Saver(person, http, bearer)


async def told(db: Database, like: str) -> list[str]:
    """List what was told of something."""
    async with db.reading(SERVICE) as tx:
        rows = await tx.execute(
            text("select type from outbox where type like :like"), {"like": like}
        )
        return [row.type.removeprefix("ledger.") for row in rows]


async def is_right(db: Database) -> bool:
    """Prove the whole book."""
    return (await audit.check(db, full=True)).findings == ()


class TestPostMoneybox:
    async def test_opens_on_the_tiers_terms_and_says_so(self, db: Database, juma: Saver) -> None:
        body = {"tier": 2, "asset": "KES", "autosave_percent": 10}

        answers = await asyncio.gather(*(juma.asks("/moneyboxes", body, "one") for _ in range(5)))

        made = answers[0].json()
        assert {answer.status_code for answer in answers} == {201}
        assert {answer.text for answer in answers} == {answers[0].text}
        assert made == {
            "id": made["id"],
            "user_id": str(juma.person.id),
            "asset": "KES",
            "role": "buyer",
            "tier": 2,
            "status": "ACTIVE",
            "autosave_percent": 10,
            "lock_days": 120,
            "bonus_bps": 300,
            "penalty_bps": [700, 500, 200],
            "lock_start_at": None,
            "matures_at": None,
            "balance": 0,
            "projected_bonus": 0,
            "created_at": made["created_at"],
        }
        assert await told(db, "%moneybox%") == ["moneybox.opened"]

    async def test_lets_a_crowd_open_one(self, juma: Saver) -> None:
        body = {"tier": 1, "asset": "KES", "autosave_percent": 0}

        answers = await asyncio.gather(*(juma.asks("/moneyboxes", body) for _ in range(8)))

        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
        codes = {answer.json()["code"] for answer in answers if answer.status_code == 409}
        assert codes == {"moneybox.already_open"}

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"asset": "COIN", "tier": 99}, 422, "moneybox.asset_not_allowed"),
            ({"asset": "XXX"}, 422, "moneybox.asset_not_allowed"),
            ({"tier": 99}, 404, "moneybox.tier_unknown"),
            ({"tier": 4}, 403, "moneybox.tier_not_for_role"),
            ({"autosave_percent": 51}, 422, "validation.failed"),
        ],
    )
    async def test_refuses(
        self, db: Database, juma: Saver, change: dict[str, Any], status: int, *, code: str
    ) -> None:
        async with db.transaction(SERVICE) as tx:
            await tx.execute(text("update moneybox_tiers set roles = '{seller}' where tier = 4"))
        body = {"tier": 1, "asset": "KES", "autosave_percent": 0}

        answer = await juma.asks("/moneyboxes", body | change)
        async with db.transaction(SERVICE) as tx:
            await tx.execute(text("update moneybox_tiers set roles = '{}' where tier = 4"))

        assert (answer.status_code, answer.json()["code"]) == (status, code)

    async def test_is_nobody_elses_to_see_or_touch(
        self, http: httpx.AsyncClient, bearer: Bearer, juma: Saver, db: Database
    ) -> None:
        box = await juma.opens()
        stranger = Saver(await welcome(db), http, bearer)
        path = f"/moneyboxes/{box['id']}"

        answers = [
            await http.get(f"/ledger/v1{path}", headers=bearer(stranger.person.id)),
            await http.get(f"/ledger/v1{path}/ledger", headers=bearer(stranger.person.id)),
            await http.patch(
                f"/ledger/v1{path}",
                headers=bearer(stranger.person.id),
                json={"autosave_percent": 0},
            ),
            await stranger.asks(f"{path}/deposits", {"amount": 1}),
            await stranger.asks(f"{path}/withdrawals", {"amount": "all"}),
        ]

        assert {answer.status_code for answer in answers} == {404}
        seen = await http.get("/ledger/v1/moneyboxes", headers=bearer(stranger.person.id))
        assert seen.json()["data"] == []


class TestGetMoneyboxTiers:
    async def test_shows_the_terms(self, http: httpx.AsyncClient, bearer: Bearer) -> None:
        answer = await http.get("/ledger/v1/moneybox-tiers", headers=bearer(ids.new()))

        terms = [(t["lock_days"], t["bonus_bps"]) for t in answer.json()["data"]]
        assert terms == [(30, 0), (120, 300), (210, 800), (330, 1500)]


class TestPostCommission:
    async def test_saves_a_part_in_the_same_transaction(
        self, http: httpx.AsyncClient, db: Database, bearer: Bearer, juma: Saver
    ) -> None:
        box = await juma.opens(percent=10)

        answer = await juma.earns(100_000, "A-17")

        made = answer.json()
        assert answer.status_code == 201, answer.text
        assert made == {
            "id": made["id"],
            "user_id": str(juma.person.id),
            "amount": 100_000,
            "currency": "KES",
            "credited_amount": 90_000,
            "autosaved_amount": 10_000,
            "moneybox_id": box["id"],
            "source_type": "order",
            "source_id": "A-17",
            "transaction_id": made["id"],
            "created_at": made["created_at"],
        }
        assert await money(db, juma.person) == (190_000, 10_000)
        assert await of_house(db, Purpose.BONUS) == -100_000
        seen = await juma.sees(box)
        assert (seen["balance"], seen["projected_bonus"]) == (10_000, 300)
        locked = timedelta(days=120)
        started, ends = map(datetime.fromisoformat, (seen["lock_start_at"], seen["matures_at"]))
        assert ends - started == locked
        assert await told(db, "%moneybox.s%") == ["moneybox.swept"]
        assert await told(db, "%commission%") == ["commission.credited"]
        mine = await http.get("/ledger/v1/commissions", headers=bearer(juma.person.id))
        assert mine.json()["data"] == [made]
        balances = await http.get(
            "/ledger/v1/user-balances?currency=KES", headers=bearer(juma.person.id)
        )
        (held,) = balances.json()["data"]
        assert (held["available_balance"], held["locked_balance"]) == (190_000, 10_000)
        assert await is_right(db)

    async def test_is_credited_once_however_it_is_asked(self, db: Database, juma: Saver) -> None:
        await juma.opens(percent=50)

        same = await asyncio.gather(*(juma.earns(1_000, "A-17", "one") for _ in range(8)))
        others = await asyncio.gather(*(juma.earns(1_000, "A-17") for _ in range(8)))
        again = await juma.earns(1_000, "A-17", "one")

        assert {answer.status_code for answer in same} == {201}
        assert len({answer.text for answer in same}) == 1
        assert sum("Idempotency-Replayed" in answer.headers for answer in same) == 7
        id = same[0].json()["id"]
        assert {(a.status_code, a.json()["code"], a.json()["id"]) for a in others} == {
            (409, "commission.already_credited", id)
        }
        assert again.text == same[0].text
        assert await money(db, juma.person) == (100_500, 500)
        assert await is_right(db)

    async def test_is_credited_once_to_a_crowd_of_keys_without_a_moneybox(
        self, db: Database, bearer: Bearer, http: httpx.AsyncClient
    ) -> None:
        amina = Saver(await welcome(db), http, bearer)

        answers = await asyncio.gather(*(amina.earns(700, "A-17") for _ in range(12)))

        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
        async with db.reading(SERVICE) as tx:
            count = await tx.execute(text("select count(*) from commissions"))
            assert count.scalar() == 1
        assert await of_house(db, Purpose.BONUS) == -700
        assert await is_right(db)

    async def test_saves_what_the_percent_was_before_or_after_a_change(
        self, http: httpx.AsyncClient, db: Database, bearer: Bearer, juma: Saver
    ) -> None:
        box = await juma.opens(percent=0)
        path = f"/ledger/v1/moneyboxes/{box['id']}"

        async def change(percent: int) -> httpx.Response:
            body = {"autosave_percent": percent}
            return await http.patch(path, headers=bearer(juma.person.id), json=body)

        answers = await asyncio.gather(
            *(juma.earns(1_000) for _ in range(12)), *(change(p) for p in (50, 0, 20, 50, 10))
        )

        assert {answer.status_code for answer in answers} == {200, 201}
        made = [answer.json() for answer in answers[:12]]
        assert {one["autosaved_amount"] for one in made} <= {0, 500, 200, 100}
        saved = sum(one["autosaved_amount"] for one in made)
        assert await money(db, juma.person) == (112_000 - saved, saved)
        assert (await juma.sees(box))["balance"] == saved
        assert await is_right(db)

    async def test_saves_nothing_in_a_frozen_box_and_nothing_is_credited_to_the_banned(
        self, db: Database, juma: Saver, clock: MovableClock
    ) -> None:
        await juma.opens(percent=10)
        box = of_user(juma.person.id, Purpose.MONEYBOX, "KES")
        async with db.transaction(SERVICE) as tx:
            await accounts.freeze_in(tx, [box.id])

        frozen = await juma.earns(1_000)
        async with db.transaction(SERVICE) as tx:
            await accounts.follow(tx, [Standing(juma.person.id, State.BANNED, 2, clock())])
        banned = await juma.earns(1_000)

        assert (frozen.json()["autosaved_amount"], frozen.json()["moneybox_id"]) == (0, None)
        assert (banned.status_code, banned.json()["code"]) == (409, "account.frozen")
        assert await money(db, juma.person) == (101_000, 0)

    async def test_keeps_a_refusal_for_ever_and_nothing_with_it(
        self, db: Database, book: Book, juma: Saver
    ) -> None:
        await juma.opens()
        poor = await welcome(db)
        payer = {"owner_type": "user", "owner_id": str(poor.id)}
        first = await juma.earns(1_000, "A-17", "one", payer=payer)
        await grant(db, book, poor, 1_000, "KES")

        again = await juma.earns(1_000, "A-17", "one", payer=payer)
        paid = await juma.earns(1_000, "A-17", "two", payer=payer)

        assert [first.status_code, again.status_code, paid.status_code] == [409, 409, 201]
        assert again.json()["code"] == "account.insufficient_funds"
        assert await money(db, juma.person) == (100_900, 100)
        assert await is_right(db)

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"currency": "XXX"}, 422, "transfer.asset_unknown"),
            ({"currency": "COIN"}, 422, "transfer.asset_not_transferable"),
            ({"user_id": str(ids.new())}, 404, "account.owner_unknown"),
            ({"payer": NO_ORG}, 404, "account.owner_unknown"),
            ({"payer": PLATFORM | {"owner_id": str(ids.new())}}, 404, "account.owner_unknown"),
            ({"payer": str(ids.new())}, 404, "account.unknown"),
            ({"source_id": ""}, 422, "validation.failed"),
        ],
    )
    async def test_refuses(
        self, juma: Saver, change: dict[str, Any], status: int, code: str
    ) -> None:
        answer = await juma.earns(1_000, **change)

        assert (answer.status_code, answer.json()["code"]) == (status, code)

    @pytest.mark.parametrize(
        ("who", "status", "code"),
        [
            ({}, 403, "auth.forbidden"),
            ({"service": "orders", "scopes": ["ledger:write"]}, 403, "auth.forbidden"),
            ({"platform_role": "admin", "aal": 1}, 401, "auth.step_up_required"),
            ({"platform_role": "admin", "aal": 2}, 201, None),
        ],
    )
    async def test_is_a_services_or_staffs_to_do(
        self,
        http: httpx.AsyncClient,
        bearer: Bearer,
        juma: Saver,
        who: Any,
        *,
        status: int,
        code: Any,
    ) -> None:
        body = {
            "user_id": str(juma.person.id),
            "amount": 1_000,
            "currency": "KES",
            "payer": PLATFORM,
            "source_type": "order",
            "source_id": "A-17",
        }

        answer = await ask(http, bearer(**who), "/commissions", body)

        assert (answer.status_code, answer.json().get("code")) == (status, code)


class TestPostDeposit:
    async def test_puts_money_in_and_tells_the_same_for_ever(
        self, http: httpx.AsyncClient, db: Database, bearer: Bearer, juma: Saver
    ) -> None:
        box = await juma.opens(tier=4)
        path = f"/moneyboxes/{box['id']}"

        first = await juma.asks(f"{path}/deposits", {"amount": 10_000}, "one")
        await juma.asks(f"{path}/withdrawals", {"amount": "all"})
        again = await juma.asks(f"{path}/deposits", {"amount": 10_000}, "one")

        assert first.status_code == 201, first.text
        made = first.json()
        assert (made["amount"], made["penalty"], made["net"]) == (10_000, 0, 10_000)
        held = made["moneybox"]
        assert (held["status"], held["balance"]) == ("ACTIVE", 10_000)
        assert held["projected_bonus"] == 1_500
        assert (again.status_code, again.text) == (201, first.text)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert await money(db, juma.person) == (99_300, 0)
        lines = await http.get(f"/ledger/v1{path}/ledger", headers=bearer(juma.person.id))
        assert [(one["type"], one["amount"]) for one in lines.json()["data"]] == [
            ("WITHDRAWAL", -9_300),
            ("PENALTY", -700),
            ("DEPOSIT", 10_000),
        ]
        assert await is_right(db)

    async def test_never_overdraws_the_purse_under_a_crowd(self, db: Database, juma: Saver) -> None:
        box = await juma.opens()
        path = f"/moneyboxes/{box['id']}/deposits"

        answers = await asyncio.gather(*(juma.asks(path, {"amount": 30_000}) for _ in range(8)))

        assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5
        assert await money(db, juma.person) == (10_000, 90_000)
        assert await is_right(db)

    async def test_is_refused_once_its_time_is_over(self, juma: Saver, clock: MovableClock) -> None:
        box = await juma.opens()
        path = f"/moneyboxes/{box['id']}/deposits"
        await juma.asks(path, {"amount": 1})
        clock.move(days=120)

        answer = await juma.asks(path, {"amount": 1})

        assert (answer.status_code, answer.json()["code"]) == (409, "moneybox.not_open")
        assert (await juma.earns(1_000)).json()["autosaved_amount"] == 0


class TestLists:
    async def test_are_read_page_by_page(
        self, http: httpx.AsyncClient, bearer: Bearer, juma: Saver
    ) -> None:
        box = await juma.opens(percent=50)
        made = [(await juma.earns(amount)).json() for amount in (10, 20, 30)]
        headers = bearer(juma.person.id)

        async def read(path: str) -> list[dict[str, Any]]:
            rows: list[dict[str, Any]] = []
            cursor = ""
            while True:
                url = f"/ledger/v1{path}?limit=2{cursor}"
                page = (await http.get(url, headers=headers)).json()
                rows += page["data"]
                if page["next_cursor"] is None:
                    return rows
                cursor = f"&cursor={page['next_cursor']}"

        assert await read("/commissions") == made[::-1]
        lines = await read(f"/moneyboxes/{box['id']}/ledger")
        assert [line["amount"] for line in lines] == [15, 10, 5]
        assert {line["type"] for line in lines} == {"AUTOSAVE"}
        assert [one["id"] for one in await read("/moneyboxes")] == [box["id"]]


class TestPostWithdrawal:
    async def test_costs_less_the_longer_it_lay_and_closes_with_the_last(
        self, db: Database, juma: Saver, clock: MovableClock
    ) -> None:
        box = await juma.opens(tier=2)
        path = f"/moneyboxes/{box['id']}"
        await juma.asks(f"{path}/deposits", {"amount": 30_000})

        answers = []
        for _ in range(3):
            answers.append(await juma.asks(f"{path}/withdrawals", {"amount": 10_000}))
            clock.move(days=40)
        more = await juma.asks(f"{path}/withdrawals", {"amount": "all"})

        assert [answer.json()["penalty"] for answer in answers] == [700, 500, 200]
        statuses = [answer.json()["moneybox"]["status"] for answer in answers]
        assert statuses == ["ACTIVE", "ACTIVE", "WITHDRAWN"]
        assert (more.status_code, more.json()["code"]) == (409, "moneybox.not_open")
        assert await money(db, juma.person) == (98_600, 0)
        assert await of_house(db, Purpose.REVENUE) == 1_400
        assert (await juma.opens())["status"] == "ACTIVE"
        assert await is_right(db)

    @pytest.mark.parametrize(("put", "take"), [(0, "all"), (100, 101)])
    async def test_takes_no_more_than_it_holds(
        self, juma: Saver, put: int, take: int | str
    ) -> None:
        box = await juma.opens()
        path = f"/moneyboxes/{box['id']}"
        if put:
            await juma.asks(f"{path}/deposits", {"amount": put})

        answer = await juma.asks(f"{path}/withdrawals", {"amount": take})

        assert answer.status_code == 409
        assert answer.json()["code"] == "account.insufficient_funds"

    async def test_is_refused_while_its_owner_is_suspended(
        self, db: Database, juma: Saver, clock: MovableClock
    ) -> None:
        box = await juma.opens()
        path = f"/moneyboxes/{box['id']}"
        await juma.asks(f"{path}/deposits", {"amount": 100})
        async with db.transaction(SERVICE) as tx:
            await accounts.follow(tx, [Standing(juma.person.id, State.SUSPENDED, 2, clock())])

        answers = [
            await juma.asks(f"{path}/withdrawals", {"amount": 500}),
            await juma.asks(f"{path}/deposits", {"amount": 1}),
        ]

        assert {a.json()["code"] for a in answers} == {"account.frozen"}


class TestMature:
    async def test_pays_the_bonus_once_whoever_asks_first(
        self, db: Database, juma: Saver, clock: MovableClock
    ) -> None:
        box = await juma.opens(tier=4)
        path = f"/moneyboxes/{box['id']}"
        await juma.asks(f"{path}/deposits", {"amount": 10_000})
        clock.move(days=330)

        results = await asyncio.gather(
            *(actions.mature(db, clock()) for _ in range(3)),
            *(juma.asks(f"{path}/withdrawals", {"amount": 1_000}) for _ in range(3)),
            *(actions.mature(db, clock()) for _ in range(3)),
        )

        taken = results[3:6]
        assert [a.json()["penalty"] for a in taken if isinstance(a, httpx.Response)] == [0, 0, 0]
        seen = await juma.sees(box)
        assert (seen["status"], seen["balance"], seen["projected_bonus"]) == ("MATURED", 8_500, 0)
        assert await money(db, juma.person) == (93_000, 8_500)
        assert await of_house(db, Purpose.BONUS) == -1_500
        assert await told(db, "%matured") == ["moneybox.matured"]
        assert await is_right(db)

    async def test_waits_for_its_time_and_needs_no_bonus(
        self, db: Database, juma: Saver, clock: MovableClock
    ) -> None:
        box = await juma.opens(tier=1)
        await juma.asks(f"/moneyboxes/{box['id']}/deposits", {"amount": 10_000})
        early = await actions.mature(db, clock.move(days=29))

        late = [await actions.mature(db, clock.move(days=1)) for _ in range(2)]

        assert (early, late) == (0, [1, 0])
        assert (await juma.sees(box))["balance"] == 10_000
        assert (await juma.sees(box))["status"] == "MATURED"

    async def test_lets_one_that_cannot_not_keep_the_others_waiting(
        self,
        http: httpx.AsyncClient,
        db: Database,
        book: Book,
        bearer: Bearer,
        *,
        clock: MovableClock,
    ) -> None:
        boxes = []
        for _ in range(3):
            saver = Saver(await welcome(db), http, bearer)
            await grant(db, book, saver.person, 10_000, "KES")
            box = await saver.opens(tier=2)
            await saver.asks(f"/moneyboxes/{box['id']}/deposits", {"amount": 10_000})
            boxes.append((saver, box))
        async with db.transaction(SERVICE) as tx:
            stuck = of_user(boxes[0][0].person.id, Purpose.MONEYBOX, "KES")
            await accounts.freeze_in(tx, [stuck.id])

        paid = await actions.mature(db, clock.move(days=120))

        assert paid == 2
        statuses = [(await saver.sees(box))["status"] for saver, box in boxes]
        assert statuses == ["ACTIVE", "MATURED", "MATURED"]


class TestLiquidate:
    @pytest.mark.parametrize("state", [State.BANNED, State.ERASED])
    async def test_empties_the_box_of_who_is_gone_into_their_frozen_purse(
        self, db: Database, juma: Saver, clock: MovableClock, state: State
    ) -> None:
        box = await juma.opens(tier=4)
        await juma.asks(f"/moneyboxes/{box['id']}/deposits", {"amount": 10_000})
        async with db.transaction(SERVICE) as tx:
            await accounts.follow(tx, [Standing(juma.person.id, state, 2, clock())])

        done = await asyncio.gather(*(actions.liquidate(db, clock()) for _ in range(3)))

        assert sum(done) == 1
        assert await money(db, juma.person) == (100_000, 0)
        assert (await juma.sees(box))["status"] == "LIQUIDATED"
        refused = await juma.asks(f"/moneyboxes/{box['id']}/withdrawals", {"amount": "all"})
        assert refused.json()["code"] == "moneybox.not_open"
        assert await told(db, "%liquidated") == ["moneybox.liquidated"]
        assert await is_right(db)

    async def test_spares_a_suspension_of_less_than_thirty_days(
        self, db: Database, juma: Saver, clock: MovableClock
    ) -> None:
        box = await juma.opens(tier=4)
        await juma.asks(f"/moneyboxes/{box['id']}/deposits", {"amount": 10_000})
        async with db.transaction(SERVICE) as tx:
            await accounts.follow(tx, [Standing(juma.person.id, State.SUSPENDED, 2, clock())])

        done = [
            await actions.liquidate(db, clock.move(days=days, seconds=seconds))
            for days, seconds in ((30, -1), (0, 1), (0, 1))
        ]

        assert done == [0, 1, 0]
        assert await money(db, juma.person) == (100_000, 0)
        assert await is_right(db)
