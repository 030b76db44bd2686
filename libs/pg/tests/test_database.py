import asyncio
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hazina.pg import SERVICE, USER_ID, Actor, Database, after_commit, protect
from hazina.problems import Unavailable

from .conftest import House

pytestmark = pytest.mark.anyio

AMINA, JUMA = Actor("user", UUID(int=1)), Actor("user", UUID(int=2))


@pytest.fixture
def note(house: House) -> str:
    """A table whose rows belong to users."""
    with psycopg.connect(house.owner, autocommit=True) as owner:
        owner.execute("drop table if exists note")
        owner.execute("create table note (user_id uuid, body text)")
        owner.execute(protect("note", read=f"user_id = {USER_ID}", write="true"))
    return "note"


async def bodies(db: Database, actor: Actor) -> list[str]:
    async with db.reading(actor) as tx:
        return list((await tx.execute(text("select body from note order by body"))).scalars())


async def add(db: Database, actor: Actor, body: str) -> None:
    async with db.transaction(actor) as tx:
        await tx.execute(
            text("insert into note values (:user_id, :body)"),
            {"user_id": actor.user_id, "body": body},
        )


class TestTransaction:
    async def test_commits_when_the_block_ends(self, db: Database, note: str) -> None:
        await add(db, AMINA, "kept")

        assert await bodies(db, AMINA) == ["kept"]

    async def test_rolls_back_when_it_raises(self, db: Database, note: str) -> None:
        with pytest.raises(ZeroDivisionError):
            async with db.transaction(AMINA) as tx:
                await tx.execute(text("insert into note values (:id, 'x')"), {"id": UUID(int=1)})
                _ = 1 / 0

        assert await bodies(db, SERVICE) == []

    async def test_rolls_back_when_it_is_cancelled(self, db: Database, note: str) -> None:
        inside = asyncio.Event()

        async def linger() -> None:
            async with db.transaction(AMINA) as tx:
                await tx.execute(text("insert into note values (:id, 'x')"), {"id": UUID(int=1)})
                inside.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(linger())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert await bodies(db, SERVICE) == []

    async def test_shows_each_actor_his_own_rows(self, db: Database, note: str) -> None:
        await add(db, AMINA, "hers")
        await add(db, JUMA, "his")

        assert await bodies(db, AMINA) == ["hers"]
        assert await bodies(db, JUMA) == ["his"]
        assert await bodies(db, SERVICE) == ["hers", "his"]

    async def test_forgets_the_actor_with_the_connection(self, db: Database, note: str) -> None:
        await add(db, AMINA, "hers")

        async with db.reading() as tx:
            assert await tx.scalar(text("select current_setting('app.user_id')")) == ""

    async def test_does_not_take_a_broken_statement_for_trouble(self, db: Database) -> None:
        with pytest.raises(DBAPIError, match="no_such_table"):
            async with db.transaction() as tx:
                await tx.execute(text("select * from no_such_table"))


class TestReading:
    async def test_cannot_write(self, db: Database, note: str) -> None:
        with pytest.raises(DBAPIError, match="read-only transaction"):
            async with db.reading(AMINA) as tx:
                await tx.execute(text("insert into note values (null, 'x')"))


class TestAfterCommit:
    async def test_calls_once_committed(self, db: Database) -> None:
        heard = []

        async with db.transaction() as tx:
            after_commit(tx, lambda: heard.append("committed"))
            assert heard == []

        assert heard == ["committed"]

    async def test_never_calls_after_a_rollback(self, db: Database) -> None:
        heard: list[str] = []

        with pytest.raises(ZeroDivisionError):
            async with db.transaction() as tx:
                after_commit(tx, lambda: heard.append("committed"))
                _ = 1 / 0
        async with db.transaction():
            pass

        assert heard == []


class TestTrouble:
    async def test_is_unavailable_when_nothing_listens(self, house: House) -> None:
        nowhere = Database("postgresql://ledger:app@127.0.0.1:1/postgres")

        with pytest.raises(Unavailable):
            async with nowhere.transaction():
                pass

    async def test_is_unavailable_when_the_connection_is_lost(
        self, house: House, db: Database
    ) -> None:
        with pytest.raises(Unavailable):
            async with db.transaction() as tx:
                pid = await tx.scalar(text("select pg_backend_pid()"))
                with psycopg.connect(house.server.admin_dsn, autocommit=True) as admin:
                    admin.execute("select pg_terminate_backend(%s, 5000)", (pid,))
                await tx.execute(text("select 1"))

    async def test_is_not_noticed_after_a_restart(self, house: House, db: Database) -> None:
        async with db.transaction():
            pass

        house.server.kill()
        house.server.start()

        async with db.transaction() as tx:
            assert await tx.scalar(text("select 1")) == 1

    async def test_is_unavailable_when_the_pool_is_used_up(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(db._engine.pool, "_timeout", 0.05)
        open_ones = [db.transaction() for _ in range(12)]
        for one in open_ones:
            await one.__aenter__()

        with pytest.raises(Unavailable):
            async with db.transaction():
                pass

        for one in open_ones:
            await one.__aexit__(None, None, None)
