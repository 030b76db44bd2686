"""What goes wrong and when: kills, lost tails and dead servers, drawn from one seed."""

import multiprocessing
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from tools.chaos import players
from tools.chaos.stage import HEARER, TELLER, Stage

CAST = ("relay", "relay", "listener", "listener", "producer", "producer")
TICK_S = 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of each, spread over `seconds`."""

    seconds: float
    seed: int
    kills: int
    broker_kills: int
    database_kills: int
    lost_tails: int


@dataclass(slots=True)
class Troupe:
    """The processes, each started again whenever it dies."""

    stage: Stage
    seed: int
    folder: Path
    deaths: Counter[str] = field(default_factory=Counter)
    _context: ForkServerContext = field(
        default_factory=lambda: multiprocessing.get_context("forkserver")
    )
    _running: dict[int, ForkServerProcess] = field(default_factory=dict)
    _born: int = 0

    def __post_init__(self) -> None:
        """Have one process import everything, so that a death costs milliseconds."""
        self._context.set_forkserver_preload(["tools.chaos.players"])

    def revive(self, cast: tuple[str, ...] = CAST) -> None:
        """Count and replace the dead."""
        for place, role in enumerate(cast):
            actor = self._running.get(place)
            if actor is not None and actor.exitcode is None:
                continue
            if actor is not None:
                self.deaths[role] += actor.exitcode == -signal.SIGKILL
                assert actor.exitcode == -signal.SIGKILL, (
                    f"a {role} ended by itself ({actor.exitcode}); see {self.folder}"
                )
            self._running[place] = self._start(place, role)

    def kill(self, place: int) -> None:
        """End one process at once; `revive` replaces it."""
        actor = self._running[place]
        if actor.exitcode is None:
            actor.kill()
            actor.join()

    def leave(self, roles: tuple[str, ...] = CAST) -> None:
        """Ask processes of these roles to end in order, and wait until they have."""
        leaving = [p for p, role in enumerate(CAST) if role in roles and p in self._running]
        for place in leaving:
            self._running[place].terminate()
        for place in leaving:
            actor = self._running.pop(place)
            actor.join(timeout=30)
            if actor.exitcode is None:
                actor.kill()
                raise AssertionError(f"a {CAST[place]} did not end within 30 s of SIGTERM")

    def end(self) -> None:
        """Kill whoever is still there."""
        for actor in self._running.values():
            actor.kill()
            actor.join()

    def _start(self, place: int, role: str) -> ForkServerProcess:
        self._born += 1
        actor = self._context.Process(
            target=players.run,
            args=(
                role,
                {service: self.stage.database(service) for service in (TELLER, HEARER)},
                {service: self.stage.nats.url_for(service) for service in (TELLER, HEARER)},
                f"{self.seed}:{self._born}",
                str(self.folder / f"{role}-{place}.log"),
            ),
            daemon=True,
        )
        actor.start()
        return actor


@dataclass(slots=True)
class Nemesis:
    """Carries the plan out while the troupe plays."""

    plan: Plan
    stage: Stage
    troupe: Troupe
    done: Counter[str] = field(default_factory=Counter)
    forgotten: int = 0  # acknowledged facts that the broker lost with its tails

    def rage(self) -> Iterator[float]:
        """Do what the plan says when it is due; yield the seconds gone, for whoever watches."""
        began = time.monotonic()
        due = self._schedule()
        while (gone := time.monotonic() - began) < self.plan.seconds:
            self.troupe.revive()
            while due and due[0][0] <= gone:
                _, what, act = due.pop(0)
                act()
                self.done[what] += 1
            yield gone
            time.sleep(TICK_S)
        for _, what, act in due:  # what a busy machine was late for
            self.troupe.revive()
            act()
            self.done[what] += 1

    def _schedule(self) -> list[tuple[float, str, Callable[[], None]]]:
        dice = random.Random(self.plan.seed)  # noqa: S311  repeatable on purpose
        until = self.plan.seconds * 0.95

        def spread(count: int) -> list[float]:
            slot = until / max(count, 1)
            return [slot * (i + dice.uniform(0.1, 0.9)) for i in range(count)]

        due: list[tuple[float, str, Callable[[], None]]] = []
        for at in spread(self.plan.kills):
            place = dice.randrange(len(CAST))
            due.append((at, "process kills", partial(self.troupe.kill, place)))
        due += [(at, "NATS kills", self.kill_broker) for at in spread(self.plan.broker_kills)]
        due += [(at, "PostgreSQL kills", self.kill_db) for at in spread(self.plan.database_kills)]
        due += [(at, "lost tails", self.lose_tail) for at in spread(self.plan.lost_tails)]
        return sorted(due, key=lambda one: one[0])

    def kill_broker(self) -> None:
        """Kill NATS and start it on what it had."""
        self.stage.nats.kill()
        time.sleep(0.3)
        self.stage.nats.start()

    def kill_db(self) -> None:
        """Kill every process of PostgreSQL and start it on what it had."""
        self.stage.postgres.kill()
        time.sleep(0.3)
        self.stage.postgres.start()

    def lose_tail(self) -> None:
        """Give NATS the disk it had two seconds ago: what it acknowledged since is gone."""
        store, older = self.stage.nats.data / "jetstream", self.stage.nats.data / "older"
        self.stage.nats.kill()
        shutil.rmtree(older, ignore_errors=True)
        shutil.copytree(store, older)
        self.stage.nats.start()
        self._play_on(2.0)
        before = self.stage.remembered()
        self.stage.nats.kill()
        shutil.rmtree(store)
        older.rename(store)
        self.stage.nats.start()
        self.forgotten += max(0, before - self.stage.remembered())

    def _play_on(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.troupe.revive()
            time.sleep(TICK_S)
