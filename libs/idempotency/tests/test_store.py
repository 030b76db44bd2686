"""Claiming, keeping and forgetting, straight on PostgreSQL."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from hazina import idempotency, ids
from hazina.idempotency import Attempt, InFlight, KeyReused, store
from hazina.pg import SERVICE, Actor, Database, Transaction
from hazina.standard import ServiceDatabase

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    """What an attempt makes."""

    id: UUID
    amount_minor: int
    at: datetime


def attempt(**changed: Any) -> Attempt:
    given: dict[str, Any] = {
        "name": "k1",
        "caller": "amina",
        "route": "POST /gifts",
        "request": {"amount_minor": 100},
        "at": NOW,
    }
    return Attempt(**(given | changed))


def made() -> Made:
    return Made(ids.new(), 100, NOW)


async def do(db: Database, tried: Attempt, actor: Actor = SERVICE) -> Made:
    """Make something, once per attempt."""
    async with db.transaction(actor) as tx:
        if done := await idempotency.find(tx, tried, Made):
            return done
        new = made()
        await idempotency.keep(tx, tried, new)
    return new


async def kept(db: Database) -> int:
    async with db.reading(SERVICE) as tx:
        found = await tx.execute(text("select count(*) from idempotency_answer"))
        return int(found.scalar_one())


class TestFind:
    async def test_gives_back_exactly_what_was_kept(self, db: Database) -> None:
        first = await do(db, attempt())

        assert await do(db, attempt()) == first

    @pytest.mark.parametrize(
        "changed", [{"caller": "juma"}, {"route": "POST /swaps"}, {"name": "k2"}, {"caller": ""}]
    )
    async def test_keeps_callers_routes_and_names_apart(
        self, db: Database, changed: dict[str, Any]
    ) -> None:
        first = await do(db, attempt())

        assert await do(db, attempt(**changed)) != first

    @pytest.mark.parametrize(
        ("asked", "field"),
        [
            ({"amount_minor": 101}, "/amount_minor"),
            ({}, "/amount_minor"),
            ({"note": "x", "amount_minor": 101}, "/note"),
            ({"amount_minor": "100"}, "/amount_minor"),
            ({"amount_minor": {"deep": 1}}, "/amount_minor/deep"),
        ],
    )
    async def test_refuses_another_request_by_its_first_field(
        self, db: Database, asked: dict[str, Any], field: str
    ) -> None:
        await do(db, attempt())

        with pytest.raises(KeyReused) as refused:
            await do(db, attempt(request=asked))

        assert refused.value.facts == {"field": field}

    async def test_waits_for_the_first_and_repeats_it(self, db: Database) -> None:
        began, go_on = asyncio.Event(), asyncio.Event()

        async def first() -> Made:
            async with db.transaction(SERVICE) as tx:
                tried = attempt()
                assert await idempotency.find(tx, tried, Made) is None
                began.set()
                await go_on.wait()
                new = made()
                await idempotency.keep(tx, tried, new)
            return new

        at_work = asyncio.create_task(first())
        await began.wait()
        second = asyncio.create_task(do(db, attempt()))
        await asyncio.sleep(0.1)
        assert not second.done()
        go_on.set()

        assert await second == await at_work

    async def test_refuses_when_the_first_takes_too_long(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store, "LIMIT_WAIT", "set local lock_timeout = 100")
        async with db.transaction(SERVICE) as tx:
            tried = attempt()
            await idempotency.find(tx, tried, Made)

            with pytest.raises(InFlight):
                await do(db, attempt())

            await idempotency.keep(tx, tried, made())

    async def test_limits_no_other_wait_of_the_transaction(self, db: Database) -> None:
        async with db.transaction(SERVICE) as tx:
            tried = attempt()
            await idempotency.find(tx, tried, Made)
            found = await tx.execute(text("show lock_timeout"))

            assert found.scalar_one() == "0"
            await idempotency.keep(tx, tried, made())

    async def test_finds_the_key_free_when_the_first_rolled_back(self, db: Database) -> None:
        async def fail(tx: Transaction) -> None:
            tried = attempt()
            await idempotency.find(tx, tried, Made)
            await idempotency.keep(tx, tried, made())
            raise RuntimeError("something later went wrong")

        with pytest.raises(RuntimeError):
            async with db.transaction(SERVICE) as tx:
                await fail(tx)

        assert await kept(db) == 0
        assert await do(db, attempt())

    async def test_finds_the_key_free_when_the_first_one_died(
        self, db: Database, database: ServiceDatabase
    ) -> None:
        """A process that is killed between its writes and its commit leaves nothing behind."""
        dying = await db.connect()
        tried = attempt()
        lock = int.from_bytes(tried.key.bytes[:8], signed=True)
        await dying.execute("begin")
        await dying.execute("select pg_advisory_xact_lock(%s)", (lock,))
        second = asyncio.create_task(do(db, attempt()))
        await asyncio.sleep(0.1)
        waited = not second.done()

        await dying.close()

        assert waited
        assert await asyncio.wait_for(second, 5)

    async def test_lets_a_person_replay_their_own(self, db: Database) -> None:
        amina = Actor(role="user", user_id=ids.new())
        first = await do(db, attempt(), amina)

        assert await do(db, attempt(), amina) == first

    async def test_lets_somebody_whom_nobody_knows_yet_replay(self, db: Database) -> None:
        first = await do(db, attempt(caller=""), Actor())

        assert await do(db, attempt(caller=""), Actor()) == first

    async def test_without_a_name_remembers_nothing(self, db: Database) -> None:
        first = await do(db, attempt(name=None))

        assert await do(db, attempt(name=None)) != first
        assert await kept(db) == 0


class TestKeep:
    async def test_hides_a_persons_answers_from_others(self, db: Database) -> None:
        amina, juma = (Actor(role="user", user_id=ids.new()) for _ in range(2))
        await do(db, attempt(), amina)

        seen = {}
        for name, actor in (("amina", amina), ("juma", juma), ("nobody", Actor())):
            async with db.reading(actor) as tx:
                found = await tx.execute(text("select count(*) from idempotency_answer"))
                seen[name] = found.scalar_one()

        assert seen == {"amina": 1, "juma": 0, "nobody": 0}

    async def test_keeps_neither_the_key_nor_what_was_asked(self, db: Database) -> None:
        secret = attempt(name="the-key", request={"password": "hunter2"})
        await do(db, secret)

        async with db.reading(SERVICE) as tx:
            row = (await tx.execute(text("select a::text from idempotency_answer a"))).scalar_one()

        assert "the-key" not in row
        assert "hunter2" not in row

    async def test_cannot_be_forgotten(self, db: Database) -> None:
        with pytest.raises(AssertionError, match="without keeping"):
            async with db.transaction(SERVICE) as tx:
                await idempotency.find(tx, attempt(), Made)


class TestExpire:
    async def test_forgets_after_a_day_what_moved_no_money(self, db: Database) -> None:
        await do(db, attempt(name="a day"))
        await do(db, attempt(name="for good", permanent=True))
        day = timedelta(hours=24)

        assert await idempotency.expire(db, NOW + day - timedelta(seconds=1)) == 0
        assert await idempotency.expire(db, NOW + day) == 1
        assert await idempotency.expire(db, NOW + 3650 * day) == 0

    async def test_leaves_a_key_usable_before_it_came_by(self, db: Database) -> None:
        first = await do(db, attempt())
        later = attempt(at=NOW + timedelta(hours=24), request={"amount_minor": 5})

        second = await do(db, later)

        assert second != first
        assert await do(db, replace(later, at=NOW + timedelta(hours=25))) == second
