"""The processes that are killed: producers, relays and listeners, each an ordinary program."""

import asyncio
import logging
import os
import random
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hazina import outbox
from hazina.outbox import ConsumedEvent, Event, Listener, Received, Relay, Source, crash
from hazina.pg import SERVICE, Database, Transaction
from hazina.problems import Unavailable
from tools.chaos.stage import HEARER, KEYS, TELLER

WRITERS = 4  # transactions a producer has open at once
PAUSE_S = 0.02  # between two transactions of a writer
SLOW_SHARE, SLOW_S_MAX = 0.03, 0.3  # transactions that stay open a while
LONG_SHARE, LONG_S = 0.002, 4.0  # and some that stay open very long
ROLLBACK_SHARE = 0.05


class Bumped(Event, type="ledger.aggregate.bumped", version=1, key="name"):
    """The n-th change of an aggregate."""

    name: str
    n: int


class BumpedHeard(ConsumedEvent, type="ledger.aggregate.bumped.v1"):
    """The n-th change of an aggregate, as the other service hears it."""

    name: str
    n: int


class ChangedItsMind(Exception):
    """Raised to roll a transaction back."""


async def produce(db: Database, stop: asyncio.Event, dice: random.Random) -> None:
    """Change aggregates and tell, with slow, endless and withdrawn transactions among them."""

    async def write() -> None:
        while not stop.is_set():
            with suppress(Unavailable, ChangedItsMind, DBAPIError):
                await _bump(db, dice)
            await asyncio.sleep(PAUSE_S * dice.uniform(0.2, 2))

    async with asyncio.TaskGroup() as group:
        for _ in range(WRITERS):
            group.create_task(write())


async def _bump(db: Database, dice: random.Random) -> None:
    name = f"key-{dice.randint(1, KEYS)}"
    async with db.transaction(SERVICE) as tx:
        # The early row takes a transaction id long before the aggregate is locked: the case in
        # which a cursor over transaction ids would tell version 2 before version 1.
        await tx.execute(text("insert into noise default values"))
        if dice.random() < SLOW_SHARE:
            await asyncio.sleep(dice.uniform(0, SLOW_S_MAX))
        if dice.random() < LONG_SHARE:
            await asyncio.sleep(LONG_S)
        bump = "update aggregate set n = n + 1 where name = :name returning n"
        n = await tx.scalar(text(bump), {"name": name})
        await tx.execute(text("insert into truth values (:name, :n)"), {"name": name, "n": n})
        await outbox.publish(tx, Bumped(name=name, n=n), key_version=n)
        if dice.random() < ROLLBACK_SHARE:
            raise ChangedItsMind
        crash.point("producer-before-commit")
    crash.point("producer-after-commit")


async def apply(tx: Transaction, facts: Sequence[Received[BumpedHeard]]) -> None:
    """Write down each fact in the order in which it arrived."""
    await tx.execute(
        text(
            "insert into applied (name, n) select name, n from"
            " unnest(cast(:names as text[]), cast(:ns as bigint[])) with ordinality"
            " as f(name, n, i) order by i"
        ),
        {"names": [f.event.name for f in facts], "ns": [f.event.n for f in facts]},
    )


async def play(role: str, databases: dict[str, str], nats: dict[str, str], seed: str) -> None:
    """Be a producer, a relay or a listener until told to stop."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    service = HEARER if role == "listener" else TELLER
    db = Database(databases[service])
    match role:
        case "producer":
            await produce(db, stop, random.Random(seed))  # noqa: S311  not a secret
        case "relay":
            await Relay(db, nats[TELLER], TELLER).run(stop)
        case "listener":
            source = Source(TELLER, {BumpedHeard: apply}, internal_url="http://127.0.0.1:1")
            await Listener(db, nats[HEARER], consumer=HEARER, sources=[source]).run(stop)
    await db.close()


def run(role: str, databases: dict[str, str], nats: dict[str, str], seed: str, log: str) -> None:
    """Begin a process: its output goes to a file, and it ends when its parent does."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, sys.stderr.fileno())
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {role} %(message)s", force=True)
    asyncio.run(play(role, databases, nats, seed))
