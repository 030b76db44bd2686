import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from hazina import outbox
from hazina.outbox import ledger, producer
from hazina.outbox.ledger import Connection
from hazina.pg import SERVICE, Actor, Database

from .given import AMINA, Said, Sung, payload, raw, say, shard_of, value

pytestmark = pytest.mark.anyio


class TestPublish:
    async def test_writes_the_fact_with_its_place_and_subject(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        async with alpha.transaction(AMINA) as tx:
            (id,) = await outbox.publish(tx, Said(key="k1", n=1), key_version=9)

        await ledger.sequence(sequencer, range(4))
        (entry,) = await ledger.read(sequencer, shard_of("k1"), 0)
        assert entry.subject == f"evt.alpha.{shard_of('k1')}.thing.said.v1"
        assert payload(entry) == {"key": "k1", "n": 1, "text": ""}
        time = datetime.fromisoformat(entry.headers.pop("ce-time"))
        assert abs(datetime.now(UTC) - time) < timedelta(minutes=1)
        assert entry.headers == {
            "Hazina-Seq": "1",
            "Hazina-Key-Version": "9",
            "ce-id": str(id),
            "ce-type": "alpha.thing.said.v1",
            "ce-subject": "k1",
            "ce-source": "alpha",
            "ce-specversion": "1.0",
            "content-type": "application/json",
        }

    async def test_keeps_the_order_of_one_call(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        await say(alpha, *[Said(key="k", n=n) if n % 2 else Sung(key="k", n=n) for n in range(50)])

        await ledger.sequence(sequencer, range(4))
        entries = await ledger.read(sequencer, shard_of("k"), 0)
        assert [payload(entry)["n"] for entry in entries] == list(range(50))

    async def test_says_nothing_when_the_transaction_fails(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        with pytest.raises(ZeroDivisionError):
            async with alpha.transaction() as tx:
                await outbox.publish(tx, Said(key="k", n=1))
                raise ZeroDivisionError

        assert await ledger.sequence(sequencer, range(4)) == {}

    async def test_wakes_this_process_after_the_commit_and_only_then(self, alpha: Database) -> None:
        woken = producer.sleeper(str(alpha.url))

        async with alpha.transaction() as tx:
            await outbox.publish(tx, Said(key="k", n=1))
            await asyncio.sleep(0)
            assert not woken.is_set()

        assert woken.is_set()

    async def test_refuses_more_than_256_kib(self, alpha: Database) -> None:
        with pytest.raises(AssertionError, match="256 KiB"):
            await say(alpha, Said(key="k", n=1, text="x" * 262_144))

    @pytest.mark.parametrize("key", ["", " k", "k ", "a\r\nb", "ü", "k" * 256])
    async def test_refuses_a_key_that_cannot_be_a_header(self, alpha: Database, key: str) -> None:
        with pytest.raises(AssertionError, match="a key is"):
            await say(alpha, Said(key=key, n=1))


class TestSchedule:
    async def test_says_it_when_it_is_due(self, alpha: Database, sequencer: Connection) -> None:
        now = datetime.now(UTC)
        async with alpha.transaction(AMINA) as tx:
            await outbox.schedule(tx, Said(key="k", n=2), now + timedelta(hours=1))
            due = await outbox.schedule(tx, Said(key="k", n=1), now - timedelta(seconds=1))

        assert await producer.promote(sequencer) == 1
        assert await producer.promote(sequencer) == 0
        await ledger.sequence(sequencer, range(4))

        (entry,) = await ledger.read(sequencer, shard_of("k"), 0)
        assert entry.event_id == str(due)
        assert entry.subject == f"evt.alpha.{shard_of('k')}.thing.said.v1"

    async def test_is_promoted_once_by_many(self, alpha: Database) -> None:
        async with alpha.transaction() as tx:
            for n in range(40):
                await outbox.schedule(tx, Said(key="k", n=n), datetime.now(UTC))

        async with raw(alpha) as one, raw(alpha) as two:
            counts = await asyncio.gather(producer.promote(one), producer.promote(two))

        assert sum(counts) == 40
        assert await value(alpha, "select count(distinct event_id) from outbox") == 40


class TestTheLedgerIsClosed:
    @pytest.mark.parametrize(
        "statement",
        [
            "update outbox set payload = ''",
            "delete from outbox",
            "truncate outbox",
            "update outbox_default set payload = ''",
            "delete from outbox_window",
            "update outbox_window set n = 1",
            "select outbox_append_only('outbox')",
        ],
    )
    async def test_to_the_service_itself(self, alpha: Database, statement: str) -> None:
        await say(alpha, Said(key="k", n=1))

        with pytest.raises(DBAPIError, match="permission denied"):
            async with alpha.transaction(SERVICE) as tx:
                await tx.exec_driver_sql(statement)

    @pytest.mark.parametrize("role", ["", "user", "admin", "super_admin"])
    async def test_to_everybodys_eyes(self, alpha: Database, role: str) -> None:
        await say(alpha, Said(key="k", n=1), actor=Actor(role=role))

        async with alpha.reading(Actor(role=role)) as tx:
            seen = await tx.exec_driver_sql("select count(*) from outbox")
            assert seen.scalar_one() == 0
        assert await value(alpha, "select count(*) from outbox") == 1

    async def test_to_a_partition_asked_by_name(self, alpha: Database) -> None:
        await say(alpha, Said(key="k", n=1))
        async with raw(alpha) as db:
            cursor = await db.execute("select tableoid::regclass::text from outbox")
            row = await cursor.fetchone()
            assert row
            partition = row[0]

            cursor = await db.execute(f"select count(*) from {partition}")
            assert await cursor.fetchone() == (0,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await db.execute(f"delete from {partition}")
