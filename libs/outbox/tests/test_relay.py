import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString

import nats as nats_client
import psycopg
import pytest
from nats.aio.client import Client
from prometheus_client import REGISTRY

from hazina import outbox
from hazina.embedded import Nats
from hazina.outbox import Relay, ledger, tools
from hazina.outbox import shard as shards
from hazina.outbox.agreement import Diverged, compare
from hazina.outbox.ledger import Connection, Entry
from hazina.outbox.shard import Cluster
from hazina.outbox.stream import WRONG_SEQUENCE, Refused, Stream
from hazina.pg import Database

from .given import (
    Heard,
    Said,
    Schemas,
    Work,
    keys_of,
    payload,
    raw,
    say,
    shard_of,
    until,
    value,
    write,
)

pytestmark = pytest.mark.anyio
SHARDS = range(4)


async def stored(client: Client, service: str = "alpha") -> dict[int, list[int]]:
    """The numbers that the stream holds, by shard, in the stream's order."""
    stream = Stream(client, service)
    try:
        info = await stream.ask(f"STREAM.INFO.{stream.name}")
    except Refused:
        return {}
    found: dict[int, list[int]] = {}
    for place in range(info["state"]["first_seq"], info["state"]["last_seq"] + 1):
        message = await stream.at(place)
        assert message
        found.setdefault(int(message.subject.split(".")[2]), []).append(message.seq)
    return found


async def numbered(db: Connection, shard: int, count: int) -> list[Entry]:
    """The first `count` facts of a shard."""
    await ledger.sequence(db, SHARDS)
    entries = await ledger.read(db, shard, 0, count)
    assert len(entries) == count
    return entries


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[Nats]:
    """A broker of this test's own, to be killed and robbed."""
    with Nats(tmp_path / "nats", ["alpha", "beta"]) as server:
        yield server


class TestAppend:
    @pytest.fixture(params=[True, False], ids=["atomic", "one by one"])
    async def appending(self, request: pytest.FixtureRequest, stream: Stream) -> Stream:
        """The stream, with a server that knows atomic batches and as if with one that does not."""
        assert stream.atomic, "this server knows atomic batches"
        stream.atomic = request.param
        return stream

    async def test_adds_in_order_and_tells_the_place_of_the_last(
        self, alpha: Database, sequencer: Connection, appending: Stream, broker: Client
    ) -> None:
        await say(alpha, *[Said(key="k", n=n) for n in range(7)])
        entries = await numbered(sequencer, shard_of("k"), 7)

        assert await appending.append(entries[:4], shard_of("k"), 0) == 4
        assert await appending.append(entries[4:], shard_of("k"), 4) == 7
        assert await stored(broker) == {shard_of("k"): [1, 2, 3, 4, 5, 6, 7]}

    async def test_refuses_a_stale_writer_and_adds_nothing_of_it(
        self, alpha: Database, sequencer: Connection, appending: Stream, broker: Client
    ) -> None:
        await say(alpha, *[Said(key="k", n=n) for n in range(6)])
        entries = await numbered(sequencer, shard_of("k"), 6)
        await appending.append(entries[:3], shard_of("k"), 0)

        for believed in (0, 2):
            with pytest.raises(Refused) as no:
                await appending.append(entries[:3], shard_of("k"), believed)
            assert no.value.code == WRONG_SEQUENCE
        assert await stored(broker) == {shard_of("k"): [1, 2, 3]}

    async def test_keeps_shards_of_one_stream_apart(
        self, alpha: Database, sequencer: Connection, appending: Stream, broker: Client
    ) -> None:
        (one,), (two,) = keys_of(0, 1), keys_of(1, 1)
        await say(alpha, *[Said(key=key, n=n) for n in range(3) for key in (one, two)])

        await appending.append(await numbered(sequencer, 0, 3), 0, 0)
        await appending.append(await numbered(sequencer, 1, 3), 1, 0)

        assert await stored(broker) == {0: [1, 2, 3], 1: [1, 2, 3]}

    async def test_never_half_adds_a_batch(
        self, alpha: Database, sequencer: Connection, stream: Stream, broker: Client
    ) -> None:
        await say(alpha, *[Said(key="k", n=n) for n in range(3)])
        entries = await numbered(sequencer, shard_of("k"), 3)
        for number, entry in enumerate(entries[:2], 1):  # the writer dies before its commit
            extra = {"Nats-Batch-Id": "dead", "Nats-Batch-Sequence": str(number)}
            await broker.publish(entry.subject, entry.payload, headers=entry.headers | extra)
        await broker.flush()

        assert await stream.last(shard_of("k")) is None
        await stream.append(entries, shard_of("k"), 0)
        assert await stored(broker) == {shard_of("k"): [1, 2, 3]}


class TestEnsure:
    async def test_makes_a_stream_that_forgets_only_by_age(self, stream: Stream) -> None:
        config = (await stream.ask("STREAM.INFO.EVT_ALPHA"))["config"]

        assert config["storage"] == "file"
        assert config["retention"] == "limits"
        assert config["max_age"] == 14 * 86_400 * 10**9
        assert config["deny_delete"]
        assert config["deny_purge"]
        assert config["allow_atomic"]
        assert await stream.shards() == 4

    async def test_mends_a_stream_of_an_older_server(self, broker: Client) -> None:
        old = {"name": "EVT_ALPHA", "subjects": ["evt.alpha.>"], "storage": "file"}
        stream = Stream(broker, "alpha")
        await stream.ask("STREAM.CREATE.EVT_ALPHA", old)

        await stream.ensure(4, 1)

        assert stream.atomic
        assert await stream.shards() == 4


class TestRelay:
    async def test_publishes_what_is_committed_with_its_envelope(
        self, alpha: Database, nats: str, broker: Client, work: Work
    ) -> None:
        inbox = await broker.subscribe("evt.alpha.>")
        await work.start(Relay(alpha, nats, "alpha"))
        (id,) = await say(alpha, Said(key="k1", n=7))

        message = await inbox.next_msg(timeout=5)
        assert message.subject == f"evt.alpha.{shard_of('k1')}.thing.said.v1"
        assert json.loads(message.data) == {"key": "k1", "n": 7, "text": ""}
        assert message.headers
        assert message.headers["ce-id"] == str(id)
        assert message.headers["Hazina-Seq"] == "1"
        assert "Nats-Msg-Id" not in message.headers

    async def test_publishes_a_backlog_in_batches_in_order(
        self, alpha: Database, nats: str, broker: Client, work: Work
    ) -> None:
        (one,), (two,) = keys_of(0, 1), keys_of(3, 1)
        for start in range(0, 1_500, 500):
            await say(alpha, *[Said(key=one, n=n) for n in range(start, start + 500)])
        await say(alpha, *[Said(key=two, n=n) for n in range(20)])

        await work.start(Relay(alpha, nats, "alpha"))

        await until(lambda: _count(broker, 1_520))
        assert await stored(broker) == {
            0: list(range(1, 1_501)),
            3: list(range(1, 21)),
        }

    async def test_never_publishes_what_was_rolled_back(
        self, alpha: Database, nats: str, broker: Client, work: Work
    ) -> None:
        await work.start(Relay(alpha, nats, "alpha"))
        for n in range(20):
            with suppress(ZeroDivisionError):
                async with alpha.transaction() as tx:
                    await outbox.publish(tx, Said(key="k", n=n))
                    assert n % 2 == 0 or 1 / 0

        await until(lambda: _count(broker, 10))
        stream = Stream(broker, "alpha")
        assert await value(alpha, "select sum(n) from outbox_window") == 10
        assert await stored(broker) == {shard_of("k"): list(range(1, 11))}
        assert (last := await stream.last(shard_of("k")))
        assert last.seq == 10

    async def test_works_beside_another_without_harm(
        self, alpha: Database, nats: str, broker: Client, work: Work, schemas: Schemas
    ) -> None:
        """Both believe that they hold every lease, as after a pause longer than the lease."""
        rivals = [Relay(alpha, nats, "alpha") for _ in range(2)]
        async with asyncio.TaskGroup() as group:
            group.create_task(work.start(*rivals))
            thief = group.create_task(_steal_leases(alpha))
            for n in range(150):
                await say(alpha, *[Said(key=f"k{i}", n=n) for i in range(4)])
            await until(lambda: _count(broker, 600))
            thief.cancel()

        for numbers in (await stored(broker)).values():
            assert numbers == list(range(1, len(numbers) + 1))

    async def test_hands_over_when_it_stops(
        self, alpha: Database, nats: str, broker: Client, work: Work
    ) -> None:
        stop = await work.start(Relay(alpha, nats, "alpha"))
        await say(alpha, Said(key="k", n=1))
        await until(lambda: _count(broker, 1))
        stop.set()

        await until(lambda: value(alpha, "select count(owner) = 0 from outbox_shard"), wait_s=2)
        await until(lambda: value(alpha, "select sum(published_seq) = 1 from outbox_shard"))

    async def test_says_what_is_due(
        self, alpha: Database, nats: str, broker: Client, work: Work
    ) -> None:
        await work.start(Relay(alpha, nats, "alpha"))
        async with alpha.transaction() as tx:
            await outbox.schedule(tx, Said(key="k", n=1), datetime.now(UTC))

        await until(lambda: _count(broker, 1), wait_s=5)

    async def test_heals_from_a_lost_database_connection(
        self, alpha: Database, nats: str, broker: Client, work: Work, schemas: Schemas
    ) -> None:
        await work.start(Relay(alpha, nats, "alpha"))
        await say(alpha, Said(key="k", n=1))
        await until(lambda: _count(broker, 1))

        await value(
            alpha,
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where datname = current_database() and usename = current_user"
            " and pid <> pg_backend_pid()",
        )
        await say(alpha, Said(key="k", n=2))

        await until(lambda: _count(broker, 2))


class TestABrokerThatFails:
    async def test_is_seen_in_the_metrics(self, alpha: Database, work: Work) -> None:
        await say(alpha, Said(key="k", n=1), Said(key="k", n=2))
        async with raw(alpha) as db:  # it worked here before, so it numbers without the broker
            await shards.know(db, shard_of("k"), await shards.cluster(db))

        await work.start(Relay(alpha, "nats://127.0.0.1:1", "alpha"))

        labels = {"service": "alpha", "shard": str(shard_of("k"))}
        sample = REGISTRY.get_sample_value
        await until(lambda: sample("hazina_outbox_unpublished", labels) == 2)
        await until(lambda: sample("hazina_outbox_oldest_unpublished_seconds", labels))

    async def test_does_not_keep_anybody_from_stopping(
        self, alpha: Database, beta: Database
    ) -> None:
        stop = asyncio.Event()
        source = outbox.Source("alpha", {Heard: write})
        nowhere = "nats://127.0.0.1:1"
        async with asyncio.timeout(6), asyncio.TaskGroup() as group:
            group.create_task(Relay(alpha, nowhere, "alpha").run(stop))
            group.create_task(outbox.Listener(beta, nowhere, "beta", [source]).run(stop))
            await asyncio.sleep(0.5)
            stop.set()

    async def test_is_filled_with_what_was_numbered_while_it_was_away(
        self, alpha: Database, own_nats: Nats, work: Work
    ) -> None:
        await work.start(Relay(alpha, own_nats.url_for("alpha"), "alpha"))
        await say(alpha, Said(key="k", n=0))
        await until(lambda: _count_at(own_nats, 1))

        own_nats.kill()
        for n in range(1, 6):
            await say(alpha, Said(key="k", n=n))
        await until(lambda: value(alpha, "select sum(n) = 6 from outbox_window"))
        own_nats.start()

        await until(lambda: _count_at(own_nats, 6))
        client = await nats_client.connect(own_nats.url)
        assert await stored(client) == {shard_of("k"): [1, 2, 3, 4, 5, 6]}
        await client.close()

    async def test_that_lost_its_tail_gets_the_same_numbers_again(
        self, alpha: Database, sequencer: Connection, own_nats: Nats, work: Work, tmp_path: Path
    ) -> None:
        stop = await work.start(Relay(alpha, own_nats.url_for("alpha"), "alpha"))
        for n in range(5):
            await say(alpha, Said(key="k", n=n))
        await until(lambda: _count_at(own_nats, 5))
        store, kept = own_nats.data / "jetstream", tmp_path / "kept"
        own_nats.kill()
        shutil.copytree(store, kept)
        own_nats.start()
        for n in range(5, 9):
            await say(alpha, Said(key="k", n=n))
        await until(lambda: _count_at(own_nats, 9))

        own_nats.kill()
        shutil.rmtree(store)
        shutil.copytree(kept, store)
        own_nats.start()
        await until(lambda: _count_at(own_nats, 9))

        client = await nats_client.connect(own_nats.url)
        assert await stored(client) == {shard_of("k"): list(range(1, 10))}
        ids = [entry.event_id for entry in await ledger.read(sequencer, shard_of("k"), 0)]
        stream = Stream(client, "alpha")
        for place, id in enumerate(ids, 1):
            message = await stream.at(place)
            assert message
            assert message.event_id == id
        await client.close()
        stop.set()


class TestCompare:
    HERE = Cluster(1, 1)

    async def test_begins_at_zero_with_an_empty_stream(
        self, sequencer: Connection, stream: Stream
    ) -> None:
        assert await compare(sequencer, stream, 0, self.HERE) == (0, 0)

    async def test_does_not_repeat_what_the_stream_dropped_by_age(
        self, alpha: Database, sequencer: Connection, stream: Stream, schemas: Schemas
    ) -> None:
        await say(alpha, Said(key="k", n=1), Said(key="k", n=2))
        await ledger.sequence(sequencer, SHARDS)
        await _as_admin(schemas, "update outbox_window set opened_at = now() - interval '15 days'")
        await say(alpha, Said(key="k", n=3))
        await ledger.sequence(sequencer, SHARDS)

        assert await compare(sequencer, stream, shard_of("k"), self.HERE) == (2, 0)

    async def test_stops_when_the_stream_is_ahead(
        self, alpha: Database, sequencer: Connection, stream: Stream, schemas: Schemas
    ) -> None:
        await say(alpha, *[Said(key="k", n=n) for n in range(3)])
        await stream.append(await numbered(sequencer, shard_of("k"), 3), shard_of("k"), 0)
        await _as_admin(schemas, "truncate outbox, outbox_window")

        with pytest.raises(Diverged, match="the stream has number 3, the ledger ends at 0"):
            await compare(sequencer, stream, shard_of("k"), self.HERE)

    async def test_stops_when_a_number_is_another_fact(
        self, alpha: Database, sequencer: Connection, stream: Stream, schemas: Schemas
    ) -> None:
        await say(alpha, Said(key="k", n=1))
        await stream.append(await numbered(sequencer, shard_of("k"), 1), shard_of("k"), 0)
        await _as_admin(schemas, "truncate outbox, outbox_window")
        await say(alpha, Said(key="k", n=2))
        await ledger.sequence(sequencer, SHARDS)

        with pytest.raises(Diverged, match="another fact"):
            await compare(sequencer, stream, shard_of("k"), self.HERE)

    async def test_stops_in_another_cluster(self, sequencer: Connection, stream: Stream) -> None:
        await shards.know(sequencer, 0, Cluster(2, 1))

        with pytest.raises(Diverged, match="another PostgreSQL cluster"):
            await compare(sequencer, stream, 0, self.HERE)


class TestADivergedShard:
    async def test_waits_for_the_operator_and_goes_on_with_new_numbers(
        self, alpha: Database, nats: str, broker: Client, work: Work, schemas: Schemas
    ) -> None:
        stop = await work.start(Relay(alpha, nats, "alpha"))
        await say(alpha, *[Said(key="k", n=n) for n in range(3)])
        await until(lambda: _count(broker, 3))
        stop.set()
        await until(lambda: value(alpha, "select count(owner) = 0 from outbox_shard"))
        # A failover lost the last commits: the new primary has another timeline.
        await _as_admin(schemas, "truncate outbox, outbox_window")
        await _as_admin(schemas, "update outbox_shard set timeline = 0")

        await work.start(Relay(alpha, nats, "alpha"))
        await say(alpha, Said(key="k", n=99))
        halted = "select halted is not null from outbox_shard where shard = %(shard)s"
        await until(lambda: value(alpha, halted, shard=shard_of("k")))
        assert await value(alpha, "select count(*) from outbox_window") == 0
        (found,) = [one for one in await tools.status(alpha, broker, "alpha") if one.halted]
        assert found.in_stream == 3

        assert await tools.resolve_divergence(alpha, broker, "alpha", shard_of("k")) == 3

        await until(lambda: _count(broker, 4))
        last = await Stream(broker, "alpha").last(shard_of("k"))
        assert last
        assert last.seq == 4
        async with raw(alpha) as db:
            await db.execute(ledger.SETUP)
            (entry,) = await ledger.read(db, shard_of("k"), 3)
            assert payload(entry)["n"] == 99


async def _count(client: Client, wanted: int) -> bool:
    try:
        info = await Stream(client, "alpha").ask("STREAM.INFO.EVT_ALPHA")
    except Refused:
        return False
    assert info["state"]["messages"] <= wanted
    return bool(info["state"]["messages"] == wanted)


async def _count_at(server: Nats, wanted: int) -> bool:
    client = await nats_client.connect(server.url)
    try:
        return await _count(client, wanted)
    finally:
        await client.close()


async def _as_admin(schemas: Schemas, statement: LiteralString) -> None:
    admin_url = schemas[0].admin_url
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as admin:
        await admin.execute("set search_path = alpha")
        await admin.execute(statement)


async def _steal_leases(db: Database) -> None:
    async with raw(db) as connection:
        while True:
            await connection.execute("update outbox_shard set owner = null")
            await asyncio.sleep(0.02)
