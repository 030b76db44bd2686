import pytest
from nats.aio.client import Client

from hazina.outbox import ledger, tools
from hazina.outbox.ledger import Connection
from hazina.outbox.stream import Stream
from hazina.outbox.tools.consuming import FactUnknown
from hazina.pg import SERVICE, Database

from .given import Said, raw, say, shard_of, value

pytestmark = pytest.mark.anyio
SHARD = shard_of("k")


@pytest.fixture
async def six(alpha: Database, sequencer: Connection) -> list[ledger.Entry]:
    """Six facts in three windows of one shard, not published."""
    for n in range(0, 6, 2):
        await say(alpha, Said(key="k", n=n), Said(key="k", n=n + 1))
        await ledger.sequence(sequencer, range(4))
    return await ledger.read(sequencer, SHARD, 0)


class TestStatus:
    async def test_tells_what_the_stream_lacks(
        self, alpha: Database, broker: Client, stream: Stream, six: list[ledger.Entry]
    ) -> None:
        await stream.append(six[:4], SHARD, 0)

        found = (await tools.status(alpha, broker, "alpha"))[SHARD]

        assert (found.numbered, found.in_stream, found.unpublished) == (6, 4, 2)
        assert found.owner is None
        assert found.halted is None


class TestWindows:
    async def test_are_listed_newest_first(self, alpha: Database, six: list[ledger.Entry]) -> None:
        found = await tools.windows(alpha, SHARD, limit=2)

        assert [(one.window_no, one.first_seq, one.n) for one in found] == [(3, 5, 2), (2, 3, 2)]


class TestRepublish:
    async def test_fills_the_stream_up_to_the_ledger(
        self, alpha: Database, broker: Client, stream: Stream, six: list[ledger.Entry]
    ) -> None:
        await stream.append(six[:2], SHARD, 0)

        assert (await tools.republish(alpha, broker, "alpha"))[SHARD] == 4
        assert (await tools.republish(alpha, broker, "alpha"))[SHARD] == 0

        last = await stream.last(SHARD)
        assert last
        assert last.seq == 6


class TestVerify:
    async def test_finds_nothing_wrong_in_a_true_copy(
        self, alpha: Database, broker: Client, stream: Stream, six: list[ledger.Entry]
    ) -> None:
        await stream.append(six, SHARD, 0)

        assert await tools.verify(alpha, broker, "alpha") == []

    async def test_is_content_with_a_stream_that_dropped_its_beginning(
        self, alpha: Database, broker: Client, stream: Stream, six: list[ledger.Entry]
    ) -> None:
        await stream.append(six[2:], SHARD, 0)

        assert await tools.verify(alpha, broker, "alpha") == []

    async def test_finds_a_hole_and_another_fact_and_makes_the_stream_anew(
        self, alpha: Database, broker: Client, stream: Stream, six: list[ledger.Entry]
    ) -> None:
        six[4].headers["ce-id"] = six[0].event_id
        await stream.append([*six[:2], six[3], *six[4:]], SHARD, 0)

        found = await tools.verify(alpha, broker, "alpha", repair=True)

        assert [(one.shard, one.first_seq, one.n, one.why) for one in found] == [
            (SHARD, 3, 2, "1 are not in the stream"),
            (SHARD, 5, 2, "other facts are in the stream"),
        ]
        assert await tools.verify(alpha, broker, "alpha") == []
        last = await stream.last(SHARD)
        assert last
        assert (last.seq, last.stream_seq) == (6, 6)


class TestResolveDivergence:
    async def test_bridges_the_numbers_that_only_the_stream_remembers(
        self,
        alpha: Database,
        broker: Client,
        stream: Stream,
        six: list[ledger.Entry],
        sequencer: Connection,
    ) -> None:
        await stream.append(six, SHARD, 0)
        for entry in six[:3]:  # three facts that the database does not know
            entry.headers["Hazina-Seq"] = str(entry.seq + 6)
        await stream.append(six[:3], SHARD, 6)

        assert await tools.resolve_divergence(alpha, broker, "alpha", SHARD) == 3
        assert await tools.resolve_divergence(alpha, broker, "alpha", SHARD) == 0

        await say(alpha, Said(key="k", n=7))
        await ledger.sequence(sequencer, range(4))
        assert [entry.seq for entry in await ledger.read(sequencer, SHARD, 6)] == [10]
        assert (await tools.windows(alpha, SHARD))[1].bridge


class TestPrune:
    async def test_waits_for_the_slowest_consumer(
        self, alpha: Database, six: list[ledger.Entry]
    ) -> None:
        assert await tools.prune(alpha, keep_days=0, passed={SHARD: 5}) == 0


class TestLag:
    async def test_tells_how_far_each_shard_is_behind(
        self, beta: Database, broker: Client, stream: Stream, six: list[ledger.Entry]
    ) -> None:
        await stream.append(six, SHARD, 0)
        async with raw(beta) as db:
            await db.execute(
                "insert into inbox_cursor (consumer, source, shard, last_seq)"
                " values ('beta', 'alpha', %s, 2)",
                (SHARD,),
            )

        (found,) = await tools.lag(beta, broker, "beta")

        assert (found.source, found.shard, found.behind, found.waiting) == ("alpha", SHARD, 4, 0)


class TestReset:
    async def test_sets_the_cursor_and_forgets_where_the_stream_was(self, beta: Database) -> None:
        async with beta.transaction(SERVICE) as tx:
            await tx.exec_driver_sql(
                "insert into inbox_cursor (consumer, source, shard, last_seq, stream_seq)"
                " values ('beta', 'alpha', 0, 9, 9)"
            )

        await tools.reset(beta, "beta", "alpha", 0, 4)

        assert await value(beta, "select last_seq * 100 + stream_seq from inbox_cursor") == 400


class TestDiscard:
    async def test_knows_what_is_not_there(self, beta: Database) -> None:
        with pytest.raises(FactUnknown):
            await tools.discard(beta, "beta", "alpha", 0, 1, reason="gone")
        with pytest.raises(FactUnknown):
            await tools.show(beta, "beta", "alpha", 0, 1)

    async def test_wants_a_reason(self, beta: Database) -> None:
        with pytest.raises(AssertionError):
            await tools.discard(beta, "beta", "alpha", 0, 1, reason=" ")
