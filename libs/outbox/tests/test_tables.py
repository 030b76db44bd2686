import psycopg
import pytest
from psycopg import sql

from hazina import outbox
from hazina.outbox import ledger, tools
from hazina.outbox.ledger import Connection
from hazina.pg import SERVICE, Database
from hazina.standard import databases

from .given import AMINA, Said, Schemas, keys_of, raw, say, value

pytestmark = pytest.mark.anyio


class TestCreateSql:
    def test_is_undone_by_drop_sql(self, postgres: str, worker: str) -> None:
        made = databases.blank(postgres, "gamma", f"outbox_gamma_{worker}")
        with psycopg.connect(made.owner_url, autocommit=True) as owner:
            owner.execute("select set_config('app.role', 'service', false)")
            for _ in range(2):
                with owner.transaction():
                    owner.execute(outbox.create_sql(shards=2))
                assert owner.execute("select count(*) from outbox_shard").fetchone() == (2,)
                with owner.transaction():
                    owner.execute(outbox.drop_sql())

            left = "select count(*) from pg_class where relnamespace = 'gamma'::regnamespace"
            assert owner.execute(left).fetchone() == (0,)
            left = "select count(*) from pg_proc where pronamespace = 'gamma'::regnamespace"
            assert owner.execute(left).fetchone() == (0,)

    async def test_comments_on_every_table(self, alpha: Database) -> None:
        bare = """select array_agg(relname::text) from pg_class
            where relnamespace = 'alpha'::regnamespace and relkind in ('r', 'p')
                and relname not in ('effect', 'aggregate')
                and obj_description(oid, 'pg_class') is null"""
        assert await value(alpha, bare) is None

    async def test_forces_row_security_on_every_table(self, alpha: Database) -> None:
        bare = """select array_agg(relname::text) from pg_class
            where relnamespace = 'alpha'::regnamespace and relkind in ('r', 'p')
                and relname not in ('effect', 'aggregate')
                and not (relrowsecurity and relforcerowsecurity)"""
        assert await value(alpha, bare) is None

    @pytest.mark.parametrize(
        "table", ["outbox_window", "outbox_shard", "inbox_cursor", "inbox_quarantine"]
    )
    async def test_shows_nothing_to_a_person(self, alpha: Database, table: str) -> None:
        async with raw(alpha) as db:
            await db.execute("insert into inbox_cursor values ('c', 's', 0)")
            await db.execute(
                "insert into inbox_quarantine values"
                " ('c', 's', 0, 1, gen_random_uuid(), 't', 'k', '{}', '', 'poison')"
            )
        await say(alpha, Said(key="k", n=1))
        async with raw(alpha) as db:
            await db.execute(ledger.SETUP)
            await ledger.sequence(db, range(4))

        async with alpha.reading(AMINA) as tx:
            assert (await tx.exec_driver_sql(f"select count(*) from {table}")).scalar_one() == 0
        assert await value(alpha, f"select count(*) from {table}")


class TestPartitions:
    async def test_are_made_ahead_by_the_service_that_does_not_own_them(
        self, alpha: Database
    ) -> None:
        async with alpha.transaction(SERVICE) as tx:
            await tx.exec_driver_sql("select outbox_ensure_partitions(9)")
            again = await tx.exec_driver_sql("select outbox_ensure_partitions(9)")
            assert again.scalar_one() == 0

        ahead = """select count(*) from generate_series(0, 9) as ahead
            where to_regclass('outbox_' || to_char(
                (now() at time zone 'utc')::date + ahead, 'YYYYMMDD')) is not null"""
        assert await value(alpha, ahead) == 10

    async def test_are_not_made_over_rows_that_went_to_the_default(
        self, alpha: Database, schemas: Schemas
    ) -> None:
        async with raw(alpha) as db:
            await db.execute(
                "insert into outbox (day, shard, event_id, type, version, key, subject, payload)"
                " values ((now() at time zone 'utc')::date + 12, 0, gen_random_uuid(),"
                " 'alpha.thing.said', 1, 'k', 's', '')"
            )
            await db.execute("select outbox_ensure_partitions(13)")
            cursor = await db.execute("select tableoid::regclass::text from outbox")
            assert await cursor.fetchone() == ("outbox_default",)


class TestPrune:
    @pytest.fixture
    async def old(self, alpha: Database, schemas: Schemas, sequencer: Connection) -> list[int]:
        """Three facts of a day three weeks ago and two of today, in one shard."""
        one, two = keys_of(0, 2)
        async with await psycopg.AsyncConnection.connect(
            schemas[0].owner_url, autocommit=True
        ) as owner:
            await owner.execute(OLD_PARTITION)
            await owner.execute("select set_config('app.role', 'service', false)")
            day = "(now() at time zone 'utc')::date - 21"
            async with owner.transaction():
                for _ in range(3):
                    await owner.execute(
                        sql.SQL(
                            "insert into outbox (day, shard, event_id, type, version, key,"
                            " subject, payload) values ({}, 0, gen_random_uuid(),"
                            " 'alpha.thing.said', 1, %s, 'evt.alpha.0.thing.said.v1', '{{}}')"
                        ).format(sql.SQL(day)),
                        (one,),
                    )
        await ledger.sequence(sequencer, range(4))
        await say(alpha, Said(key=two, n=3), Said(key=two, n=4))
        await ledger.sequence(sequencer, range(4))
        return [entry.seq for entry in await ledger.read(sequencer, 0, 0)]

    async def test_keeps_what_is_not_published(self, alpha: Database, old: list[int]) -> None:
        assert old == [1, 2, 3, 4, 5]

        with pytest.raises(psycopg.errors.RaiseException, match="not published"):
            await _prune(alpha)

    async def test_keeps_what_is_not_numbered(
        self, alpha: Database, old: list[int], schemas: Schemas
    ) -> None:
        async with await psycopg.AsyncConnection.connect(
            schemas[0].admin_url, autocommit=True
        ) as admin:
            await admin.execute("truncate alpha.outbox_window")

        with pytest.raises(psycopg.errors.RaiseException, match="not numbered"):
            await _prune(alpha)

    async def test_drops_whole_days_and_keeps_the_numbers_of_the_rest(
        self, alpha: Database, old: list[int], sequencer: Connection
    ) -> None:
        async with raw(alpha) as db:
            await db.execute("update outbox_shard set published_seq = 5")

        assert await _prune(alpha) == 1

        assert [entry.seq for entry in await ledger.read(sequencer, 0, 0)] == [4, 5]
        assert await ledger.head(sequencer, 0) == 5
        assert await _prune(alpha) == 0

    async def test_refuses_to_drop_today_and_later(self, alpha: Database) -> None:
        with pytest.raises(psycopg.errors.RaiseException, match="past days"):
            async with raw(alpha) as db:
                await db.execute("select outbox_prune(current_date + 2)")


OLD_PARTITION = """
do $$ declare day date := (now() at time zone 'utc')::date - 21;
begin
    execute 'drop table if exists outbox_' || to_char(day, 'YYYYMMDD');
    execute 'create table outbox_' || to_char(day, 'YYYYMMDD') || ' partition of outbox'
        || ' for values from (' || quote_literal(day) || ') to (' || quote_literal(day + 1) || ')';
end $$"""


async def _prune(db: Database) -> int:
    return await tools.prune(db)
