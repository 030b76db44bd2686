"""When which board is computed: as the comment of leaderboard_cache says."""

from datetime import datetime
from functools import partial

from hazina.chassis import Timer
from hazina.pg import Database
from streaming.channel.actions import Hub
from streaming.gift import actions
from streaming.gift.rules import PERIODS, REFRESH_S, STREAM_REFRESH_S, Period

DAY_S = 86_400


def timers(hub: Hub) -> tuple[Timer, ...]:
    """Give the timers of boards."""

    async def rank_streams(db: Database, now: datetime) -> int:
        return await actions.rank_streams(db, hub, now)

    return (
        Timer("rank_streams", STREAM_REFRESH_S, rank_streams),
        *(Timer(f"rank_{period}", REFRESH_S[period], partial(_rank, period)) for period in PERIODS),
        Timer("rank_everything", DAY_S, actions.rank_all),
    )


async def _rank(period: Period, db: Database, now: datetime) -> int:
    return await actions.rank_period(db, period, now)
