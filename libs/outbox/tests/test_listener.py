import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest
from nats.aio.client import Client

from hazina import outbox
from hazina.outbox import Listener, Received, Relay, Source, ledger, tools
from hazina.outbox.ledger import Connection
from hazina.outbox.stream import Stream
from hazina.outbox.tools.consuming import ResetIntoQuarantine, StillPoisoned
from hazina.pg import SERVICE, Database, Transaction
from hazina.problems import Unavailable

from .given import (
    Heard,
    Said,
    Sung,
    TooLoud,
    Work,
    effects,
    keys_of,
    ledger_over_http,
    say,
    shard_of,
    until,
    value,
    write,
)

pytestmark = pytest.mark.anyio

Facts = Sequence[Received[Heard]]
HEARING = Source("alpha", {Heard: write})


class Refusing:
    """A handler that writes facts down, but not those with some numbers."""

    def __init__(self, *refused: int, trouble: Exception | None = None) -> None:
        self.refused = set(refused)
        self.trouble = trouble or TooLoud()
        self.runs: list[list[int]] = []

    async def __call__(self, tx: Transaction, facts: Facts) -> None:
        self.runs.append([fact.event.n for fact in facts])
        await write(tx, facts)
        if self.refused & set(self.runs[-1]):
            raise self.trouble


async def applied(db: Database, count: int) -> bool:
    """Whether beta has made `count` effects."""
    found = await value(db, "select count(*) from effect")
    assert found <= count
    return bool(found == count)


async def passed(db: Database, shard: int) -> int:
    """The last fact of a shard that beta is done with."""
    last: int = await value(
        db, "select max(last_seq) from inbox_cursor where shard = %(shard)s", shard=shard
    )
    return last or 0


async def states(db: Database) -> list[tuple[int, str]]:
    """What is in quarantine: (seq, state)."""
    async with db.reading(SERVICE) as tx:
        rows = await tx.exec_driver_sql("select seq, state from inbox_quarantine order by seq")
        return [(row.seq, row.state) for row in rows]


@pytest.fixture
async def relayed(alpha: Database, nats: str, broker: Client, work: Work) -> Database:
    """The database of alpha, with a relay at work."""
    await work.start(Relay(alpha, nats, "alpha"))
    return alpha


class TestListener:
    async def test_applies_each_fact_once_in_the_order_of_its_key(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        await work.start(Listener(beta, nats, "beta", [HEARING]))
        for n in range(40):
            await say(relayed, *[Said(key=f"k{i}", n=n) for i in range(5)])

        await until(lambda: applied(beta, 200))
        made = await effects(beta)
        for i in range(5):
            assert [n for key, n in made if key == f"k{i}"] == list(range(40))

    async def test_tells_the_handler_where_the_fact_comes_from(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        heard: list[Received[Heard]] = []

        async def keep(tx: Transaction, facts: Facts) -> None:
            heard.extend(facts)

        await work.start(Listener(beta, nats, "beta", [Source("alpha", {Heard: keep})]))
        async with relayed.transaction() as tx:
            (id,) = await outbox.publish(tx, Said(key="k", n=3), key_version=12)
        await until(lambda: heard)

        (fact,) = heard
        assert (fact.id, fact.type, fact.source) == (id, "alpha.thing.said.v1", "alpha")
        assert (fact.shard, fact.seq, fact.key, fact.key_version) == (shard_of("k"), 1, "k", 12)
        assert fact.event == Heard(key="k", n=3)
        assert fact.time.tzinfo

    async def test_hands_over_runs_of_one_type_and_passes_unknown_types_by(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        said = [Said(key="k", n=n) for n in range(6)]
        await say(relayed, *said[:3], Sung(key="k", n=0), *said[3:], Sung(key="k", n=1))
        handler = Refusing()
        await work.start(Listener(beta, nats, "beta", [Source("alpha", {Heard: handler})]))

        await until(lambda: applied(beta, 6))
        await until(lambda: _is(passed(beta, shard_of("k")), 8))
        assert [n for run in handler.runs for n in run] == list(range(6))

    async def test_goes_on_where_it_stopped(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        for n in range(4):
            stop = await work.start(Listener(beta, nats, "beta", [HEARING]))
            await say(relayed, *[Said(key="k", n=n * 5 + i) for i in range(5)])
            await until(lambda n=n: applied(beta, (n + 1) * 5))  # type: ignore[misc]
            stop.set()

        assert [n for _, n in await effects(beta)] == list(range(20))

    async def test_works_beside_another_without_harm(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        """Both hold every lease, as after a pause longer than the lease."""
        await work.start(*[Listener(beta, nats, "beta", [HEARING]) for _ in range(2)])
        async with asyncio.TaskGroup() as group:
            thief = group.create_task(_steal_leases(beta))
            for n in range(100):
                await say(relayed, *[Said(key=f"k{i}", n=n) for i in range(4)])
            await until(lambda: applied(beta, 400))
            thief.cancel()

        made = await effects(beta)
        for i in range(4):
            assert [n for key, n in made if key == f"k{i}"] == list(range(100))

    async def test_keeps_each_consumer_its_own_place(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        await work.start(Listener(beta, nats, "beta", [HEARING]))
        await say(relayed, Said(key="k", n=1))
        await until(lambda: applied(beta, 1))

        await work.start(Listener(beta, nats, "reports", [HEARING]))

        await until(lambda: applied(beta, 2))

    async def test_waits_for_a_source_that_never_spoke(
        self, alpha: Database, beta: Database, nats: str, broker: Client, work: Work
    ) -> None:
        await work.start(Listener(beta, nats, "beta", [HEARING]))
        await asyncio.sleep(0.1)
        await work.start(Relay(alpha, nats, "alpha"))
        await say(alpha, Said(key="k", n=1))

        await until(lambda: applied(beta, 1))

    async def test_hands_over_when_it_stops(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        stop = await work.start(Listener(beta, nats, "beta", [HEARING]))
        await say(relayed, Said(key="k", n=1))
        await until(lambda: applied(beta, 1))
        stop.set()

        await until(lambda: value(beta, "select count(owner) = 0 from inbox_cursor"), wait_s=2)

    async def test_lets_a_handler_tell_facts_of_its_own(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        class Echoed(outbox.Event, type="beta.echo.made", version=1, key="key"):
            key: str

        async def echo(tx: Transaction, facts: Facts) -> None:
            for fact in facts:
                await outbox.publish(tx, Echoed(key=fact.key), cause=fact)

        await work.start(Listener(beta, nats, "beta", [Source("alpha", {Heard: echo})]))
        await say(relayed, Said(key="k", n=1))

        await until(lambda: value(beta, "select count(*) = 1 from outbox"))


class TestTrouble:
    async def test_that_may_pass_is_tried_again_in_order(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        handler = Refusing(1, trouble=Unavailable("not now"))
        await work.start(Listener(beta, nats, "beta", [Source("alpha", {Heard: handler})]))
        one, two = keys_of(0, 2)
        await say(relayed, Said(key=one, n=0), Said(key=one, n=1), Said(key=two, n=2))
        await until(lambda: len(handler.runs) >= 3)
        assert await effects(beta) == []

        handler.refused.clear()

        await until(lambda: applied(beta, 3))
        assert await effects(beta) == [(one, 0), (one, 1), (two, 2)]
        assert await states(beta) == []

    async def test_that_looks_like_a_bug_is_set_aside_at_the_eighth_attempt(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        handler = Refusing(1, trouble=ZeroDivisionError("a bug"))
        await work.start(Listener(beta, nats, "beta", [Source("alpha", {Heard: handler})]))
        one, two = keys_of(0, 2)
        await say(relayed, Said(key=one, n=0), Said(key=one, n=1), Said(key=two, n=2))

        await until(lambda: _is(states(beta), [(2, "poison")]), wait_s=20)
        assert await effects(beta) == [(one, 0), (two, 2)]
        (found,) = await tools.quarantined(beta, "beta")
        assert (found.attempts, found.error) == (8, "ZeroDivisionError('a bug')")

    async def test_parks_its_key_and_no_other(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        handler = Refusing(1)
        await work.start(Listener(beta, nats, "beta", [Source("alpha", {Heard: handler})]))
        one, two = keys_of(0, 2)
        await say(relayed, Said(key=one, n=0), Said(key=one, n=1), Said(key=two, n=2))
        await until(lambda: applied(beta, 2))
        await say(relayed, Said(key=one, n=3), Said(key=two, n=4), Said(key=one, n=5))
        await until(lambda: applied(beta, 3))
        await until(lambda: _is(passed(beta, 0), 6))

        assert await effects(beta) == [(one, 0), (two, 2), (two, 4)]
        assert await states(beta) == [(2, "poison"), (4, "parked"), (6, "parked")]
        shown = await tools.show(beta, "beta", "alpha", 0, 2)
        assert (shown.key, shown.attempts) == (one, 1)
        assert shown.payload == f'{{"key":"{one}","n":1,"text":""}}'
        assert shown.error
        assert "TooLoud" in shown.error

    async def test_that_cannot_be_read_is_poison_at_once(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        class Stricter(outbox.ConsumedEvent, type="alpha.thing.said.v1"):
            missing: UUID

        await work.start(Listener(beta, nats, "beta", [Source("alpha", {Stricter: write})]))
        await say(relayed, Said(key="k", n=1))

        await until(lambda: _is(states(beta), [(1, "poison")]))

    async def test_is_undone_to_the_last_row(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        """The handler writes before it refuses: nothing of that may stay."""
        await work.start(Listener(beta, nats, "beta", [Source("alpha", {Heard: Refusing(0)})]))
        await say(relayed, Said(key="k", n=0))

        await until(lambda: _is(states(beta), [(1, "poison")]))
        assert await effects(beta) == []


class TestQuarantine:
    @pytest.fixture
    async def parked(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> tuple[Refusing, str]:
        """Number 1 of a key refused, 3 and 5 behind it; gives the handler and the key."""
        handler = Refusing(1)
        await work.start(Listener(beta, nats, "beta", [Source("alpha", {Heard: handler})]))
        one, two = keys_of(0, 2)
        await say(relayed, Said(key=one, n=1), Said(key=two, n=2), Said(key=one, n=3))
        await say(relayed, Said(key=one, n=5))
        await until(lambda: _is(passed(beta, 0), 4))
        assert await states(beta) == [(1, "poison"), (3, "parked"), (4, "parked")]
        return handler, one

    async def test_is_replayed_in_order_and_the_key_flows_again(
        self, relayed: Database, beta: Database, parked: tuple[Refusing, str]
    ) -> None:
        handler, key = parked
        handler.refused.clear()

        assert await tools.replay(beta, "beta", "alpha", 0, key) == 3

        await until(lambda: applied(beta, 4))
        await say(relayed, Said(key=key, n=6))
        await until(lambda: applied(beta, 5))
        assert [n for k, n in await effects(beta) if k == key] == [1, 3, 5, 6]
        assert {state for _, state in await states(beta)} == {"replayed"}

    async def test_takes_along_what_comes_while_it_is_tried_again(
        self, relayed: Database, beta: Database, parked: tuple[Refusing, str]
    ) -> None:
        handler, key = parked
        handler.trouble = Unavailable("not now")  # the replay begins, and cannot end
        await tools.replay(beta, "beta", "alpha", 0, key)
        await until(lambda: len([run for run in handler.runs if run == [1]]) > 2)
        await say(relayed, Said(key=key, n=7))
        await until(lambda: _is(passed(beta, 0), 5))

        handler.refused.clear()

        await until(lambda: applied(beta, 5))
        assert [n for k, n in await effects(beta) if k == key] == [1, 3, 5, 7]

    async def test_that_fails_again_waits_again(
        self, beta: Database, parked: tuple[Refusing, str]
    ) -> None:
        _, key = parked

        await tools.replay(beta, "beta", "alpha", 0, key)

        await until(
            lambda: _is(states(beta), [(1, "poison"), (3, "parked"), (4, "parked")]), wait_s=5
        )
        await until(lambda: value(beta, "select max(attempts) = 2 from inbox_quarantine"))
        assert [n for k, n in await effects(beta) if k == key] == []

    async def test_lets_the_rest_go_on_when_the_poison_is_discarded(
        self, beta: Database, parked: tuple[Refusing, str]
    ) -> None:
        _, key = parked
        with pytest.raises(StillPoisoned):
            await tools.unpark(beta, "beta", "alpha", 0, key)

        await tools.discard(beta, "beta", "alpha", 0, 1, reason="settled by hand")
        assert await tools.unpark(beta, "beta", "alpha", 0, key) == 2

        await until(lambda: applied(beta, 3))
        assert [n for k, n in await effects(beta) if k == key] == [3, 5]
        assert await states(beta) == [(1, "discarded"), (3, "replayed"), (4, "replayed")]
        why = "select resolved_by from inbox_quarantine where state = 'discarded'"
        assert await value(beta, why) == "settled by hand"

    async def test_forbids_to_reset_behind_it(
        self, beta: Database, parked: tuple[Refusing, str]
    ) -> None:
        with pytest.raises(ResetIntoQuarantine):
            await tools.reset(beta, "beta", "alpha", 0, 0)


class TestAStreamThatLacksFacts:
    @pytest.fixture
    async def holed(self, alpha: Database, sequencer: Connection, stream: Stream) -> str:
        """Facts 1 to 4 and 8 to 10 in the stream, 1 to 10 in the ledger; gives their key."""
        await say(alpha, *[Said(key="k", n=n) for n in range(1, 11)])
        await ledger.sequence(sequencer, range(4))
        entries = await ledger.read(sequencer, shard_of("k"), 0)
        await stream.append([*entries[:4], *entries[7:]], shard_of("k"), 0)
        return "k"

    async def test_is_helped_out_by_the_sources_ledger(
        self, alpha: Database, beta: Database, nats: str, work: Work, holed: str
    ) -> None:
        async with ledger_over_http(alpha, token="let-me-in") as url:
            source = Source("alpha", {Heard: write}, internal_url=url)
            await work.start(Listener(beta, nats, "beta", [source]))

            await until(lambda: applied(beta, 10))

        assert [n for _, n in await effects(beta)] == list(range(1, 11))

    async def test_applies_nothing_past_the_hole_while_the_ledger_is_away(
        self, alpha: Database, beta: Database, nats: str, work: Work, holed: str
    ) -> None:
        await work.start(Listener(beta, nats, "beta", [HEARING]))

        await until(lambda: applied(beta, 4))
        await asyncio.sleep(0.5)
        assert await applied(beta, 4)

    async def test_is_read_from_its_start_by_a_consumer_whose_place_it_lost(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        await say(relayed, *[Said(key="k", n=n) for n in range(5)])
        stop = await work.start(Listener(beta, nats, "beta", [HEARING]))
        await until(lambda: applied(beta, 5))
        stop.set()
        async with beta.transaction(SERVICE) as tx:
            await tx.exec_driver_sql("update inbox_cursor set stream_seq = 777")
        await work.start(Listener(beta, nats, "beta", [HEARING]))
        await say(relayed, Said(key="k", n=5))

        await until(lambda: applied(beta, 6))

    async def test_made_anew_behind_a_waiting_listener_is_noticed(
        self, relayed: Database, beta: Database, nats: str, work: Work, broker: Client
    ) -> None:
        """The place the listener waits for is beyond all that the new stream will have."""
        for n in range(6):
            await say(relayed, Said(key="k", n=n))
        await work.start(Listener(beta, nats, "beta", [HEARING]))
        await until(lambda: applied(beta, 6))

        await Stream(broker, "alpha").ask("STREAM.DELETE.EVT_ALPHA")
        await say(relayed, Said(key="k", n=6))

        await until(lambda: applied(beta, 7), wait_s=20)

    async def test_is_not_needed_to_begin_anew(
        self, relayed: Database, beta: Database, nats: str, work: Work
    ) -> None:
        await say(relayed, *[Said(key="k", n=n) for n in range(3)])
        await work.start(Listener(beta, nats, "beta", [HEARING]))
        await until(lambda: applied(beta, 3))

        assert await tools.bootstrap(beta, "beta", "alpha") == 4

        await until(lambda: applied(beta, 6), wait_s=20)


async def _is(found: object, wanted: object) -> bool:
    return bool(await found == wanted)  # type: ignore[misc]


async def _steal_leases(db: Database) -> None:
    while True:
        async with db.transaction(SERVICE) as tx:
            await tx.exec_driver_sql("update inbox_cursor set owner = null, lease_until = null")
        await asyncio.sleep(0.02)
