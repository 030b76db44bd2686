"""How fast a consumer applies a stream exactly once, against a plain COPY of as many rows."""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import psycopg
from tools.chaos.players import Bumped, BumpedHeard, apply
from tools.chaos.stage import HEARER, TELLER, Stage, stage

from benchmarks.report import Bar, tell
from hazina import outbox
from hazina.outbox import Listener, Relay, Source
from hazina.pg import SERVICE, Database

# 10k events/s were seen with the prototype, a hundredth of what a COPY did on that machine.
BAR = Bar("consumer_apply", "of the rows/s of a plain COPY", target=0.01)
ROUNDS = 3
EVENTS = 30_000


async def fill(house: Stage) -> None:
    """Tell EVENTS facts and carry them to the stream."""
    db = Database(house.database(TELLER))
    stop = asyncio.Event()
    relay = asyncio.create_task(Relay(db, house.nats.url_for(TELLER), TELLER).run(stop))
    for first in range(0, EVENTS, 1_000):
        async with db.transaction(SERVICE) as tx:
            facts = [Bumped(name=f"key-{n % 200}", n=n) for n in range(first, first + 1_000)]
            await outbox.publish(tx, *facts)
    await asyncio.sleep(3)  # the relay is far faster than this
    stop.set()
    await relay
    await db.close()


async def applied_per_s(house: Stage) -> float:
    """Start a listener and wait until it has applied every fact."""
    before = house.progress()[1]
    db = Database(house.database(HEARER))
    stop = asyncio.Event()
    source = Source(TELLER, {BumpedHeard: apply}, internal_url="http://127.0.0.1:1")
    listener = Listener(db, house.nats.url_for(HEARER), consumer=HEARER, sources=[source])
    began = time.perf_counter()
    running = asyncio.create_task(listener.run(stop))
    while (await asyncio.to_thread(house.progress))[1] < before + EVENTS:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    took = time.perf_counter() - began
    stop.set()
    await running
    await db.close()
    return EVENTS / took


def copied_per_s(house: Stage) -> float:
    """COPY as many rows into a table of the same shape."""
    owner = house.postgres.dsn(f"{HEARER}_owner", "owner", "postgres")
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(
            "drop table if exists copied; create table copied"
            " (place bigint generated always as identity primary key, name text, n bigint)"
        )
        began = time.perf_counter()
        with connection.cursor().copy("copy copied (name, n) from stdin") as copy:
            for n in range(EVENTS):
                copy.write_row((f"key-{n % 200}", n))
        return EVENTS / (time.perf_counter() - began)


async def main() -> None:
    """Measure in interleaved rounds."""
    rounds = []
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as house:
        for _ in range(ROUNDS):
            await fill(house)
            copied = copied_per_s(house)
            applied = await applied_per_s(house)
            rounds.append({"copy/s": copied, "applied/s": applied, "ratio": applied / copied})
    tell(
        BAR,
        statistics.median(row["ratio"] for row in rounds),
        baseline={
            "copy_rows_per_s": statistics.median(row["copy/s"] for row in rounds),
            "applied_events_per_s": statistics.median(row["applied/s"] for row in rounds),
        },
        rounds=rounds,
    )


if __name__ == "__main__":
    asyncio.run(main())
