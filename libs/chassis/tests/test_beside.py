"""What runs beside the requests: timers and roles that never die."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

import pytest
from prometheus_client import REGISTRY

from hazina.chassis import Timer, roles
from hazina.pg import Database
from hazina.problems import Unavailable

from . import given

pytestmark = pytest.mark.anyio

Run = Callable[[Database, datetime], Awaitable[int]]


def counted(timer: str, outcome: str) -> float:
    labels = {"service": "given", "timer": timer, "outcome": outcome}
    return REGISTRY.get_sample_value("hazina_timer_runs_total", labels) or 0


class TestATimer:
    async def test_goes_on_after_whatever_happens(self) -> None:
        stop = asyncio.Event()
        outcomes: list[BaseException | int] = [RuntimeError("a bug"), Unavailable(), 3]

        async def run(db: Database, now: datetime) -> int:
            await asyncio.sleep(0)
            outcome = outcomes.pop(0)
            if not outcomes:
                stop.set()
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        timer = Timer("stubborn", 0.01, run)
        await asyncio.wait_for(roles.tick(given.service(), timer, stop), 10)

        assert not outcomes
        assert [counted("stubborn", how) for how in ("failed", "unavailable", "done")] == [1, 1, 1]
        labels = {"service": "given", "timer": "stubborn"}
        assert REGISTRY.get_sample_value("hazina_timer_rows_total", labels) == 3

    async def test_finishes_its_run_before_it_stops(self) -> None:
        stop, begun = asyncio.Event(), asyncio.Event()
        finished: list[bool] = []

        async def run(db: Database, now: datetime) -> int:
            begun.set()
            await asyncio.sleep(0.05)
            finished.append(True)
            return 0

        ticking = asyncio.create_task(roles.tick(given.service(), Timer("slow", 0.01, run), stop))
        await begun.wait()
        stop.set()
        await asyncio.wait_for(ticking, 5)

        assert finished == [True]


class TestARole:
    async def test_begins_again_when_it_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(roles, "RESTART_WAIT_S", 0.01)
        stop = asyncio.Event()
        begun = 0

        async def run(stopping: asyncio.Event) -> None:
            nonlocal begun
            begun += 1
            if begun == 3:
                stopping.set()
                return
            raise RuntimeError(str(begun))

        await asyncio.wait_for(roles.forever("fragile", run, stop), 5)

        assert begun == 3

    async def test_is_run_only_where_it_is_wanted(self) -> None:
        async def run(db: Database, now: datetime) -> int:
            return 0

        service = replace(given.service(), timers=[Timer("mine", 1, run)])

        assert roles.runners(service, frozenset({"http"})) == {}
        assert roles.runners(service, frozenset({"relay"})).keys() == {"relay"}
        assert roles.runners(service, frozenset({"work", "listen"})).keys() == {
            "timer mine",
            "timer idempotency_expiry",
        }
