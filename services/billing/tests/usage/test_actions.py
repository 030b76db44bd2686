import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from billing.usage import actions
from billing.usage.rules import Fact
from hazina.pg import SERVICE, Database

from ..given import NOON, org, rows, told  # noqa: TID252  makers of the whole service

pytestmark = pytest.mark.anyio


def fact(
    org_id: UUID, id: str, quantity: int = 1, type: str = "record_created", at: datetime = NOON
) -> Fact:
    return Fact(org_id, "notes", id, type, quantity, at)


async def record(db: Database, *facts: Fact, now: datetime = NOON) -> int:
    async with db.transaction(SERVICE) as tx:
        return len(await actions.record_in(tx, facts, now))


async def sums(db: Database) -> tuple[int, int, int, int]:
    """Raw facts, days, months and windows: what must all say the same."""
    [found] = await rows(
        db,
        """select (select sum(case event_type when 'record_deleted' then -quantity
                              else quantity end) from usage_events),
                  (select sum(sum) from usage_aggregations where period = 'day'),
                  (select sum(sum) from usage_aggregations where period = 'month'),
                  (select sum(used) from quota_windows)""",
    )
    return tuple(map(int, found))  # type: ignore[return-value]


class TestRecordIn:
    async def test_counts_each_fact_once(self, db: Database) -> None:
        org_id = await org(db)
        facts = [fact(org_id, "r1", 2), fact(org_id, "r2", 3), fact(org_id, "r1", 2)]

        assert await record(db, *facts) == 2
        assert await record(db, *facts) == 0

        assert await sums(db) == (5, 5, 5, 5)

    async def test_counts_once_when_told_at_once(self, db: Database) -> None:
        org_id = await org(db)
        facts = [fact(org_id, f"r{n}", n) for n in range(1, 21)]

        new = await asyncio.gather(*(record(db, *facts) for _ in range(6)))

        assert sum(new) == len(facts)
        assert await sums(db) == (210,) * 4

    async def test_finds_the_repeat_of_an_earlier_month(self, db: Database) -> None:
        org_id = await org(db)
        turn = datetime(2026, 2, 28, 23, 59, tzinfo=UTC)
        one = fact(org_id, "r1", 2, at=turn)

        assert await record(db, one, now=turn) == 1
        assert await record(db, one, now=turn + timedelta(minutes=2)) == 0
        assert await record(db, one, now=turn + timedelta(days=31)) == 0

        assert await sums(db) == (2,) * 4

    async def test_takes_away_what_was_deleted(self, db: Database) -> None:
        org_id = await org(db)

        await record(db, fact(org_id, "d1", 2, "record_deleted"))
        await record(db, fact(org_id, "r1", 5))

        assert await sums(db) == (3,) * 4

    async def test_tells_of_each_threshold_once(self, db: Database) -> None:
        org_id = await org(db)

        for n in range(10):
            await record(db, fact(org_id, f"r{n}", 11))

        said = await told(db, "billing.usage.threshold_reached")
        assert [(each["pct"], each["used"]) for each in said] == [(50, 55), (80, 88), (100, 110)]
        assert said[0]["window_start"] is None


class TestEnsurePartitions:
    async def test_finds_them_made_and_makes_none(self, db: Database) -> None:
        assert await actions.ensure_partitions(db) == 0
