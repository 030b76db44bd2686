"""Holds over HTTP, on a real book."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from hazina import ids
from hazina.pg import SERVICE, Database
from hazina.standard.clock import MovableClock
from ledger.account import actions as accounts
from ledger.account import store as balances
from ledger.account.rules import Flag, Standing, State, of_user
from ledger.audit import actions as audit
from ledger.hold import actions
from ledger.posting.actions import Book

from ..people import Bearer, Person, ask, grant, welcome  # noqa: TID252

pytestmark = pytest.mark.anyio


@pytest.fixture
async def amina(db: Database, book: Book) -> Person:
    """Somebody with a thousand cents."""
    person = await welcome(db)
    await grant(db, book, person, 1_000, "KES")
    return person


@pytest.fixture
async def juma(db: Database) -> Person:
    """Somebody who may get them."""
    return await welcome(db)


def body(payer: Person, payee: Person, amount: int, **more: Any) -> dict[str, Any]:
    return {
        "from": {"owner_type": "user", "owner_id": str(payer.id)},
        "to": {"owner_type": "user", "owner_id": str(payee.id)},
        "asset": "KES",
        "amount": amount,
        "expires_in_s": 60,
    } | more


async def place(
    http: httpx.AsyncClient, headers: dict[str, str], asked: dict[str, Any]
) -> dict[str, Any]:
    answer = await ask(http, headers, "/holds", asked)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def purse(
    http: httpx.AsyncClient, headers: dict[str, str], person: Person
) -> tuple[int, int]:
    """Tell what is posted and what is available."""
    path = f"/ledger/v1/accounts/{of_user(person.id, asset='KES').id}"
    shown = (await http.get(path, headers=headers)).json()
    return shown["posted"], shown["available"]


class TestHold:
    async def test_sets_aside_and_captures_a_part(
        self, http: httpx.AsyncClient, db: Database, bearer: Bearer, *, amina: Person, juma: Person
    ) -> None:
        hers, his = bearer(amina.id), bearer(juma.id)
        made = await place(http, hers, body(amina, juma, 600))
        held = await purse(http, hers, amina)
        too_much = await ask(http, hers, "/transfers", _transfer(amina, juma, 401))

        taken = await ask(http, his, f"/holds/{made['id']}/capture", {"amount": 250}, key="one")
        again = await ask(http, his, f"/holds/{made['id']}/capture", {"amount": 250}, key="one")

        assert (made["status"], held, too_much.status_code) == ("pending", (1_000, 400), 409)
        assert (taken.status_code, taken.json()["captured"]) == (200, 250)
        assert again.json() == taken.json()
        assert again.headers["Idempotency-Replayed"] == "true"
        assert await purse(http, hers, amina) == (750, 750)
        assert await purse(http, his, juma) == (250, 250)
        assert (await audit.check(db, full=True)).findings == ()

    async def test_voids_or_captures_but_never_both(
        self, http: httpx.AsyncClient, db: Database, bearer: Bearer, *, amina: Person, juma: Person
    ) -> None:
        hers = bearer(amina.id)
        made = [await place(http, hers, body(amina, juma, 100)) for _ in range(5)]

        answers = await asyncio.gather(
            *(
                ask(http, hers, f"/holds/{hold['id']}/{what}", {})
                for hold in made
                for what in ("capture", "void")
            )
        )

        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [409] * 5
        refused = [answer.json() for answer in answers if answer.status_code == 409]
        assert {one["code"] for one in refused} == {"hold.not_pending"}
        posted, available = await purse(http, hers, amina)
        assert posted == available
        assert (await audit.check(db, full=True)).findings == ()

    async def test_expires_by_the_clock_before_anybody_sweeps(
        self,
        http: httpx.AsyncClient,
        db: Database,
        bearer: Bearer,
        *,
        amina: Person,
        juma: Person,
        clock: MovableClock,
    ) -> None:
        made = await place(http, bearer(amina.id), body(amina, juma, 100))
        clock.move(seconds=60)
        hers = bearer(amina.id)

        late = await ask(http, hers, f"/holds/{made['id']}/capture", {})
        swept = [await actions.expire(db, clock()) for _ in range(2)]

        assert (late.status_code, late.json()["code"]) == (409, "hold.expired")
        assert swept == [1, 0]
        assert await purse(http, hers, amina) == (1_000, 1_000)
        seen = await http.get(f"/ledger/v1/holds/{made['id']}", headers=hers)
        assert seen.json()["status"] == "expired"
        assert (await audit.check(db, full=True)).findings == ()

    async def test_of_a_closed_account_waits_and_stops_no_other(
        self,
        http: httpx.AsyncClient,
        db: Database,
        book: Book,
        *,
        bearer: Bearer,
        amina: Person,
        juma: Person,
        clock: MovableClock,
    ) -> None:
        await grant(db, book, juma, 100, "KES")
        stuck = await place(http, bearer(amina.id), body(amina, juma, 100))
        await place(http, bearer(juma.id), body(juma, amina, 100, expires_in_s=61))
        closed = [of_user(amina.id, asset="KES").id]
        await _flag(db, closed, put=Flag.CLOSED)

        void = await ask(http, bearer(amina.id), f"/holds/{stuck['id']}/void", {})
        clock.move(seconds=61)
        swept = [await actions.expire(db, clock()) for _ in range(2)]
        await _flag(db, closed, clear=Flag.CLOSED)
        swept.append(await actions.expire(db, clock()))

        assert (void.status_code, void.json()["code"]) == (409, "account.closed")
        assert swept == [1, 0, 1]
        assert await purse(http, bearer(juma.id), juma) == (100, 100)
        assert (await audit.check(db, full=True)).findings == ()

    async def test_a_freeze_stops_new_holds_and_no_capture(
        self,
        http: httpx.AsyncClient,
        db: Database,
        bearer: Bearer,
        *,
        amina: Person,
        juma: Person,
        clock: MovableClock,
    ) -> None:
        hers, his = bearer(amina.id), bearer(juma.id)
        made = await place(http, hers, body(amina, juma, 100))
        async with db.transaction(SERVICE) as tx:
            await accounts.follow(tx, [Standing(amina.id, State.SUSPENDED, 2, clock())])

        refused = await ask(http, hers, "/holds", body(amina, juma, 100))
        taken = await ask(http, his, f"/holds/{made['id']}/capture", {})

        assert (refused.status_code, refused.json()["code"]) == (409, "account.frozen")
        assert taken.json()["status"] == "captured"

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"amount": 1_001}, 409, "account.insufficient_funds"),
            ({"expires_in_s": 0}, 422, "validation.failed"),
            ({"expires_in_s": 2_592_001}, 422, "validation.failed"),
            ({"asset": "COIN"}, 422, "transfer.asset_not_transferable"),
        ],
    )
    async def test_refuses(
        self,
        http: httpx.AsyncClient,
        bearer: Bearer,
        amina: Person,
        *,
        juma: Person,
        change: dict[str, Any],
        status: int,
        code: str,
    ) -> None:
        answer = await ask(http, bearer(amina.id), "/holds", body(amina, juma, 1) | change)

        assert (answer.status_code, answer.json()["code"]) == (status, code)

    async def test_is_unknown_to_strangers_and_takes_no_more_than_it_holds(
        self, http: httpx.AsyncClient, bearer: Bearer, amina: Person, *, juma: Person
    ) -> None:
        made = await place(http, bearer(amina.id), body(amina, juma, 100))
        path = f"/holds/{made['id']}/capture"

        stranger = await ask(http, bearer(ids.new()), path, {})
        greedy = await ask(http, bearer(juma.id), path, {"amount": 101})

        assert (stranger.status_code, stranger.json()["code"]) == (404, "hold.unknown")
        assert (greedy.status_code, greedy.json()["code"]) == (422, "hold.amount_too_large")


def _transfer(payer: Person, payee: Person, amount: int) -> dict[str, Any]:
    asked = body(payer, payee, amount)
    del asked["expires_in_s"]
    return asked


async def _flag(db: Database, ids: list[UUID], **change: Flag) -> None:
    async with db.transaction(SERVICE) as tx:
        await balances.flag_balances(tx, ids, **change)
