from datetime import UTC, datetime

import pytest

from billing.subscription import jobs
from hazina.pg import Database

from ..given import org, rows  # noqa: TID252  makers of the whole service

pytestmark = pytest.mark.anyio

JANUARY = datetime(2026, 1, 31, 12, tzinfo=UTC)


class TestRollPeriods:
    async def test_moves_into_the_period_it_is_now(self, db: Database) -> None:
        await org(db, at=JANUARY)

        rolled = await jobs.roll_periods(db, datetime(2026, 4, 30, 13, tzinfo=UTC))

        [row] = await rows(db, "select * from org_subscriptions")
        assert rolled == 1
        assert row.current_period_start == datetime(2026, 4, 30, 12, tzinfo=UTC)
        assert row.current_period_end == datetime(2026, 5, 31, 12, tzinfo=UTC)
        assert row.row_version == 2

    async def test_leaves_a_period_that_still_runs(self, db: Database) -> None:
        await org(db, at=JANUARY)

        assert await jobs.roll_periods(db, datetime(2026, 2, 28, 11, tzinfo=UTC)) == 0
        assert await jobs.roll_periods(db, datetime(2026, 2, 28, 12, tzinfo=UTC)) == 1
        assert await jobs.roll_periods(db, datetime(2026, 2, 28, 12, tzinfo=UTC)) == 0
