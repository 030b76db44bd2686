"""How fast one relay drains a backlog, against single awaited publishes of the same broker.

Beside it the PyPI package nats-outbox drains a backlog of its own on the same servers.
"""

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

import nats
from nats_outbox.core.models import Base, OutboxEvent
from nats_outbox.publishers.nats_publisher import NatsPublisher
from nats_outbox.relay.polling import PollingRelay
from nats_outbox.settings import OutboxSettings
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from tools.chaos.players import Bumped
from tools.chaos.stage import TELLER, Stage, stage

from benchmarks.report import Bar, tell
from hazina import ids, outbox
from hazina.outbox import Relay
from hazina.pg import SERVICE, Database

BAR = Bar("outbox_relay", "x single awaited publishes", target=10)
ROUNDS = 3
BACKLOG = 30_000  # facts a relay finds when it starts
SINGLES = 2_000  # awaited publishes of the baseline
PEER_BACKLOG = 4_000  # facts nats-outbox finds; it takes seconds for so many
STREAM = f"EVT_{TELLER.upper()}"
PAYLOAD = os.urandom(150).hex().encode()  # 300 B, about what an event weighs


async def singles_per_s(house: Stage, number: int) -> float:
    """Publish one by one, each acknowledged (and on disk) before the next."""
    client = await nats.connect(house.nats.url)
    stream = client.jetstream()
    await stream.add_stream(name=f"SINGLES{number}", subjects=[f"singles.{number}"])
    began = time.perf_counter()
    for _ in range(SINGLES):
        await stream.publish(f"singles.{number}", PAYLOAD)
    took = time.perf_counter() - began
    await client.close()
    return SINGLES / took


async def _published(house: Stage) -> int:
    client = await nats.connect(house.nats.url)
    try:
        return (await client.jetstream().stream_info(STREAM)).state.messages
    except nats.js.errors.NotFoundError:
        return 0
    finally:
        await client.close()


async def relay_per_s(house: Stage) -> float:
    """Fill the outbox, then start a relay and wait until the stream has all of it."""
    db = Database(house.database(TELLER))
    for first in range(0, BACKLOG, 1_000):
        async with db.transaction(SERVICE) as tx:
            facts = [Bumped(name=f"key-{n % 200}", n=n) for n in range(first, first + 1_000)]
            await outbox.publish(tx, *facts)
    before = await _published(house)
    stop = asyncio.Event()
    client = await nats.connect(house.nats.url)
    info = client.jetstream().stream_info
    began = time.perf_counter()
    relay = asyncio.create_task(Relay(db, house.nats.url_for(TELLER), TELLER).run(stop))
    while True:
        await asyncio.sleep(0.02)
        if (await _messages(info)) >= before + BACKLOG:
            break
    took = time.perf_counter() - began
    stop.set()
    await relay
    await client.close()
    await db.close()
    return BACKLOG / took


async def _messages(info: object) -> int:
    try:
        state = (await info(STREAM)).state  # type: ignore[operator]
    except nats.js.errors.NotFoundError:
        return 0
    return int(state.messages)


async def peer_per_s(house: Stage) -> float:
    """Let nats-outbox drain its own table, with its defaults but the largest batch it allows."""
    url = house.postgres.admin_dsn.replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(url)
    async with engine.begin() as tx:
        await tx.run_sync(Base.metadata.drop_all)
        await tx.run_sync(Base.metadata.create_all)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    async with sessions() as session, session.begin():
        for n in range(PEER_BACKLOG):
            event = OutboxEvent(event_id=ids.new(), subject="peer.x", payload={"n": n}, headers={})
            session.add(event)
    client = await nats.connect(house.nats.url)
    await client.jetstream().add_stream(name="PEER", subjects=["peer.>"])
    settings = OutboxSettings(database_url=url, nats_url=house.nats.url, batch_size=1_000)
    relay = PollingRelay(sessions, await NatsPublisher.from_nats_client(client), settings)
    began = time.perf_counter()
    running = asyncio.create_task(relay.start())
    pending = select(func.count()).where(OutboxEvent.status == "pending")
    while True:
        await asyncio.sleep(0.1)
        async with sessions() as session:
            if not await session.scalar(pending):
                break
    took = time.perf_counter() - began
    await relay.stop()
    await running
    await client.close()
    await engine.dispose()
    return PEER_BACKLOG / took


async def main() -> None:
    """Measure in interleaved rounds."""
    rounds = []
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as house:
        for number in range(ROUNDS):
            single = await singles_per_s(house, number)
            relay = await relay_per_s(house)
            rounds.append({"single/s": single, "relay/s": relay, "ratio": relay / single})
        peer = await peer_per_s(house)
    tell(
        BAR,
        statistics.median(row["ratio"] for row in rounds),
        baseline={
            "single_awaited_publishes_per_s": statistics.median(row["single/s"] for row in rounds),
            "relay_events_per_s": statistics.median(row["relay/s"] for row in rounds),
            "nats_outbox_0.1.0_events_per_s": peer,
            "sync_interval": "always",
        },
        rounds=rounds,
    )


if __name__ == "__main__":
    asyncio.run(main())
