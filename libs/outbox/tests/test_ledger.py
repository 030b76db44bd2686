import asyncio
import hashlib
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors

from hazina import outbox
from hazina.outbox import ledger
from hazina.outbox.ledger import Connection
from hazina.pg import SERVICE, Database

from .given import Said, keys_of, payload, raw, say, shard_of, value

pytestmark = pytest.mark.anyio
SHARDS = range(4)

BUMP = """
insert into aggregate values (%(key)s, 1)
on conflict (key) do update set n = aggregate.n + 1 returning n"""


async def numbers(db: Connection, shard: int) -> list[tuple[int, object]]:
    """What a shard's ledger says: (seq, n)."""
    return [(entry.seq, payload(entry)["n"]) for entry in await ledger.read(db, shard, 0)]


class TestSequence:
    async def test_does_not_skip_a_row_that_commits_late(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        """The classic loss: a lower id commits after a higher one was read."""
        one, two = keys_of(0, 2)
        async with alpha.transaction() as early:
            await outbox.publish(early, Said(key=one, n=1))
            await say(alpha, Said(key=two, n=2))
            assert await ledger.sequence(sequencer, SHARDS) == {0: 1}

        assert await ledger.sequence(sequencer, SHARDS) == {0: 1}
        assert await numbers(sequencer, 0) == [(1, 2), (2, 1)]

    async def test_does_not_say_version_2_before_version_1(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        """The anomaly of `xid < xmin` cursors: T2 has the older id but the younger lock."""
        early_xid = "select pg_current_xact_id()"
        async with alpha.transaction() as unrelated, alpha.transaction() as two:
            await two.exec_driver_sql(early_xid)
            await unrelated.exec_driver_sql(early_xid)
            async with alpha.transaction() as one:
                version = (await one.exec_driver_sql(BUMP, {"key": "A"})).scalar_one()
                await outbox.publish(one, Said(key="A", n=version))
            version = (await two.exec_driver_sql(BUMP, {"key": "A"})).scalar_one()
            await outbox.publish(two, Said(key="A", n=version))
            await two.commit()

            await ledger.sequence(sequencer, SHARDS)
            assert await numbers(sequencer, shard_of("A")) == [(1, 1), (2, 2)]

    async def test_counts_a_savepoint_to_its_transaction(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        async with alpha.transaction() as tx:
            async with tx.begin_nested():
                await outbox.publish(tx, Said(key="k", n=1))
            assert await ledger.sequence(sequencer, SHARDS) == {}

        assert await ledger.sequence(sequencer, SHARDS) == {shard_of("k"): 1}

    async def test_is_not_held_up_by_a_long_transaction(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        one, two = keys_of(1, 2)
        async with alpha.transaction() as long:
            await outbox.publish(long, Said(key=one, n=0))
            for n in range(1, 4):
                await say(alpha, Said(key=two, n=n))
                assert await ledger.sequence(sequencer, SHARDS) == {1: 1}

        await ledger.sequence(sequencer, SHARDS)
        assert await numbers(sequencer, 1) == [(1, 1), (2, 2), (3, 3), (4, 0)]

    async def test_numbers_each_fact_once_when_two_race(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        async with raw(alpha) as rival:
            await rival.execute(ledger.SETUP)
            for n in range(60):
                await say(alpha, Said(key="k", n=n))
                done = await asyncio.gather(
                    ledger.sequence(sequencer, SHARDS),
                    ledger.sequence(rival, SHARDS),
                    return_exceptions=True,
                )
                assert all(isinstance(one, dict | errors.UniqueViolation) for one in done)

        said = await numbers(sequencer, shard_of("k"))
        assert said == [(n + 1, n) for n in range(60)]

    async def test_is_fenced_by_the_key_when_another_saw_the_same(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        await say(alpha, Said(key="k", n=1))
        async with alpha.transaction(SERVICE) as zombie:
            # A sequencer that froze between its statement and its commit.
            await zombie.exec_driver_sql(ledger.SEQUENCE, {"shards": list(SHARDS)})
            rival = asyncio.create_task(ledger.sequence(sequencer, SHARDS))
            await asyncio.sleep(0.05)
            assert not rival.done()

        with pytest.raises(errors.UniqueViolation):
            await rival
        assert await numbers(sequencer, shard_of("k")) == [(1, 1)]

    async def test_cuts_a_backlog_into_windows_of_a_thousand(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        one, two = keys_of(2, 2)
        async with alpha.transaction() as early:
            await outbox.publish(early, Said(key=one, n=0))
            for start in range(1, 2_501, 500):
                await say(alpha, *[Said(key=two, n=n) for n in range(start, start + 500)])

        assert await ledger.sequence(sequencer, SHARDS) == {2: 2_501}
        assert await value(alpha, "select array_agg(n order by window_no) from outbox_window") == [
            1_000,
            1_000,
            501,
        ]
        said: list[object] = []
        while page := await ledger.read(sequencer, 2, len(said)):
            assert [entry.seq for entry in page] == list(
                range(len(said) + 1, len(said) + len(page) + 1)
            )
            said += [payload(entry)["n"] for entry in page]
        assert said == list(range(2_501))

        # The next window follows the last of them, and nothing is numbered twice.
        await say(alpha, Said(key=two, n=2_501))
        assert await ledger.sequence(sequencer, SHARDS) == {2: 1}
        assert [entry.seq for entry in await ledger.read(sequencer, 2, 2_500)] == [2_501, 2_502]

    async def test_digests_the_ids_in_their_order(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        ids = await say(alpha, *[Said(key="k", n=n) for n in range(3)])
        await ledger.sequence(sequencer, SHARDS)

        wanted = hashlib.sha256(b"".join(id.bytes for id in ids)).digest()
        assert await value(alpha, "select digest from outbox_window") == wanted


class TestRead:
    async def test_gives_the_same_bytes_for_ever(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        one, two = keys_of(0, 2)
        async with alpha.transaction() as long:
            await outbox.publish(long, Said(key=one, n=99))
            await say(alpha, *[Said(key=two, n=n) for n in range(5)])
            await ledger.sequence(sequencer, SHARDS)
            first = await ledger.read(sequencer, 0, 0)

        await say(alpha, *[Said(key=two, n=n) for n in range(5, 9)])
        await ledger.sequence(sequencer, SHARDS)

        again = await ledger.read(sequencer, 0, 0)
        assert again[:5] == first
        assert [entry.seq for entry in again] == list(range(1, 11))

    async def test_begins_after_any_number_and_ends_at_the_limit(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        for n in range(0, 20, 4):
            await say(alpha, *[Said(key="k", n=i) for i in range(n, n + 4)])
            await ledger.sequence(sequencer, SHARDS)

        shard = shard_of("k")
        for after in range(21):
            found = await ledger.read(sequencer, shard, after, 3)
            assert [entry.seq for entry in found] == list(range(after + 1, min(after + 3, 20) + 1))

    async def test_ends_when_the_bytes_are_enough_but_gives_one_at_least(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        await say(alpha, *[Said(key="k", n=n, text="x" * 1_000) for n in range(5)])
        await ledger.sequence(sequencer, SHARDS)

        shard = shard_of("k")
        assert len(await ledger.read(sequencer, shard, 0, max_bytes=1)) == 1
        assert len(await ledger.read(sequencer, shard, 0, max_bytes=2_500)) == 3

    async def test_is_answered_as_json_for_other_services(
        self, alpha: Database, sequencer: Connection
    ) -> None:
        await say(alpha, *[Said(key="k", n=n) for n in range(3)])
        await ledger.sequence(sequencer, SHARDS)

        page = await outbox.read_ledger(alpha, shard_of("k"), after=1, limit=1)

        (fact,) = page["data"]
        assert fact["seq"] == 2
        assert fact["payload"] == '{"key":"k","n":1,"text":""}'
        assert UUID(fact["headers"]["ce-id"])


# What four transactions may do, in any interleaving; "number" is the sequencer's turn.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(0, 3)),
        st.tuples(st.just("say"), st.integers(0, 3)),
        st.tuples(st.just("commit"), st.integers(0, 3)),
        st.tuples(st.just("rollback"), st.integers(0, 3)),
        st.tuples(st.just("number"), st.just(0)),
    ),
    min_size=5,
    max_size=40,
)


class Four:
    """Four transactions side by side, and what they committed."""

    def __init__(self, db: Database, sequencer: Connection) -> None:
        self.committed: list[list[UUID]] = []
        self._db = db
        self._sequencer = sequencer
        self._connections: dict[int, Connection] = {}
        self._said: dict[int, list[UUID]] = {}

    async def step(self, what: str, who: int) -> None:
        """Do one step, if it can be done now."""
        if what == "number":
            await ledger.sequence(self._sequencer, SHARDS)
        elif what == "begin" and who not in self._said:
            await self._begin(who)
        elif what == "say" and who in self._said:
            self._said[who].append(await _insert(self._connections[who], f"key{who}"))
        elif what in {"commit", "rollback"} and who in self._said:
            await self._connections[who].execute(what.encode())
            said = self._said.pop(who)
            self.committed += [said] if what == "commit" else []

    async def close(self) -> None:
        for connection in self._connections.values():
            await connection.close()

    async def _begin(self, who: int) -> None:
        if who not in self._connections:
            self._connections[who] = await self._db.connect()
        await self._connections[who].execute("begin")
        await self._connections[who].execute("select pg_current_xact_id()")
        self._said[who] = []


class TestAnyInterleaving:
    @given(steps=STEPS)
    @settings(
        max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    async def test_numbers_what_was_committed_once_and_nothing_else(
        self, alpha: Database, sequencer: Connection, steps: list[tuple[str, int]]
    ) -> None:
        start = {shard: await ledger.head(sequencer, shard) for shard in SHARDS}
        four = Four(alpha, sequencer)
        try:
            for what, who in steps:
                await four.step(what, who)
        finally:
            await four.close()
        await ledger.sequence(sequencer, SHARDS)

        found: list[UUID] = []
        for shard in SHARDS:
            entries = await ledger.read(sequencer, shard, start[shard])
            seqs = [entry.seq for entry in entries]
            assert seqs == list(range(start[shard] + 1, start[shard] + 1 + len(seqs)))
            found += [UUID(entry.event_id) for entry in entries]
        assert sorted(found) == sorted(id for ids in four.committed for id in ids)
        # A transaction has one key here, so its facts stand in one shard in the order said.
        for ids in four.committed:
            assert [id for id in found if id in ids] == ids


async def _insert(db: Connection, key: str) -> UUID:
    from hazina.outbox.producer import ADD, _row  # noqa: PLC0415  the same insert, without a pool

    row = _row(Said(key=key, n=0), None, None)
    await db.execute(ADD, {name: [value] for name, value in row.items()})
    id: UUID = row["event_id"]
    return id
