"""How long a fact takes from its transaction in one service to its effect in another, at 50/s.

Teller and hearer are processes of their own, as in production. The clock starts when the row is
written, before its commit, and stops when the effect has committed: a little more than the wait
that a user would notice.
"""

import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from tools.chaos.players import Bumped, BumpedHeard, apply
from tools.chaos.stage import HEARER, TELLER, stage

from benchmarks.report import Bar, percentile, tell
from hazina import outbox
from hazina.outbox import Listener, Received, Relay, Source
from hazina.pg import SERVICE, Database, Transaction, after_commit

BAR = Bar("outbox_e2e", "ms, p99", target=30, lower_is_better=True)
ROUNDS = 3
RATE_PER_S = 50
SECONDS = 12
WARM_UP = RATE_PER_S * 2  # facts not counted, while both sides connect and plan
WAITS = ("hazina.outbox_wait_ms", "hazina.broker_ms", "hazina.inbox_wait_ms")


class Waits(SpanExporter):
    """Keeps what each consumer span says about its waits."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take the waits out of the spans that have them."""
        for span in spans:
            found = {name: span.attributes.get(name) for name in WAITS} if span.attributes else {}
            if found and None not in found.values():
                self.rows.append({k: float(v) for k, v in found.items()})  # type: ignore[arg-type]
        return SpanExportResult.SUCCESS


async def hear(database: str, nats: str, expected: int, result: str) -> None:
    """Apply facts and write down how old each was when its effect had committed."""
    provider, waits = TracerProvider(), Waits()
    provider.add_span_processor(SimpleSpanProcessor(waits))
    trace.set_tracer_provider(provider)
    ages: list[float] = []

    async def apply_and_time(tx: Transaction, facts: Sequence[Received[BumpedHeard]]) -> None:
        await apply(tx, facts)
        told = [fact.time for fact in facts]
        after_commit(
            tx,
            lambda: ages.extend((datetime.now(UTC) - at).total_seconds() * 1_000 for at in told),
        )

    db = Database(database)
    stop = asyncio.Event()
    source = Source(TELLER, {BumpedHeard: apply_and_time}, internal_url="http://127.0.0.1:1")
    listener = Listener(db, nats, consumer=HEARER, sources=[source])
    running = asyncio.create_task(listener.run(stop))
    while len(ages) < expected:  # noqa: ASYNC110  the hearer tells nobody how far it is
        await asyncio.sleep(0.05)
    stop.set()
    await running
    await db.close()
    Path(result).write_text(json.dumps({"ages": ages, "waits": waits.rows}))  # noqa: ASYNC240


def hearer(database: str, nats: str, expected: int, result: str) -> None:
    """Be the process that hears."""
    asyncio.run(hear(database, nats, expected, result))


async def speak(database: str, nats: str, count: int) -> None:
    """Commit facts at an even rate whatever the answers take: an open loop."""
    db = Database(database)
    stop = asyncio.Event()
    relay = asyncio.create_task(Relay(db, nats, TELLER).run(stop))

    async def one(n: int) -> None:
        async with db.transaction(SERVICE) as tx:
            await outbox.publish(tx, Bumped(name=f"key-{n % 200}", n=n))

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for n in range(count):
            await asyncio.sleep(max(0.0, began + n / RATE_PER_S - time.monotonic()))
            group.create_task(one(n))
    await asyncio.sleep(1)
    stop.set()
    await relay
    await db.close()


def main() -> None:
    """Measure rounds, each with new processes."""
    trace.set_tracer_provider(TracerProvider())  # only facts of a kept trace tell their waits
    count = RATE_PER_S * SECONDS + WARM_UP
    rounds = []
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as house:
        for number in range(ROUNDS):
            result = Path(folder) / f"round-{number}.json"
            ears = multiprocessing.get_context("spawn").Process(
                target=hearer,
                args=(house.database(HEARER), house.nats.url_for(HEARER), count, str(result)),
            )
            ears.start()
            asyncio.run(speak(house.database(TELLER), house.nats.url_for(TELLER), count))
            ears.join(60)
            heard = json.loads(result.read_text())
            ages, waits = heard["ages"][WARM_UP:], heard["waits"][WARM_UP:]
            rounds.append(
                {"p50 ms": percentile(ages, 0.5), "p99 ms": percentile(ages, 0.99)}
                | {f"{w[7:]} p50": statistics.median(row[w] for row in waits) for w in WAITS}
            )
    medians = {name: statistics.median(row[name] for row in rounds) for name in rounds[0]}
    tell(
        BAR,
        medians["p99 ms"],
        baseline={"rate_per_s": RATE_PER_S, **{k: round(v, 2) for k, v in medians.items()}},
        rounds=rounds,
    )


if __name__ == "__main__":
    main()
