from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazina import ids
from streaming.gift import rules
from streaming.gift.rules import Gift

SUNDAY_LAST = datetime(2026, 11, 22, 23, 59, 59, 999_999, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
EAST = timezone(timedelta(hours=3))


def gift(coins: int = 10, *, at: datetime = MONDAY, stream: UUID | None = None) -> Gift:
    return Gift(ids.new(), stream, None, ids.new(), ids.new(), "lion", 1, coins, at)


class TestWindow:
    @pytest.mark.parametrize(
        ("period", "at", "start", "end"),
        [
            ("day", SUNDAY_LAST, datetime(2026, 11, 22, tzinfo=UTC), MONDAY),
            ("day", MONDAY, MONDAY, datetime(2026, 11, 24, tzinfo=UTC)),
            ("week", SUNDAY_LAST, datetime(2026, 11, 16, tzinfo=UTC), MONDAY),
            ("week", MONDAY, MONDAY, datetime(2026, 11, 30, tzinfo=UTC)),
            # In Nairobi it is Monday already; windows are UTC.
            ("week", MONDAY.replace(tzinfo=EAST), datetime(2026, 11, 16, tzinfo=UTC), MONDAY),
            (
                "month",
                datetime(2026, 12, 31, 23, tzinfo=UTC),
                datetime(2026, 12, 1, tzinfo=UTC),
                datetime(2027, 1, 1, tzinfo=UTC),
            ),
            ("all", MONDAY, rules.EPOCH, None),
        ],
    )
    def test_holds_its_moment(
        self, period: rules.Period, at: datetime, start: datetime, end: datetime | None
    ) -> None:
        assert rules.window_start(period, at) == start
        assert rules.window_end(period, start) == end

    @given(
        at=st.datetimes(timezones=st.just(UTC)), period=st.sampled_from(["day", "week", "month"])
    )
    def test_follows_upon_another_without_a_gap(self, at: datetime, period: rules.Period) -> None:
        at = at.replace(year=min(max(at.year, 1971), 9000))
        start = rules.window_start(period, at)
        end = rules.window_end(period, start)

        assert end is not None
        assert start <= at < end
        assert rules.window_start(period, end) == end
        assert rules.window_start(period, end - timedelta(microseconds=1)) == start


class TestShows:
    @pytest.mark.parametrize(
        ("appears", "status", "late_s", "shown"),
        [
            (True, "live", None, True),
            (True, "ended", 60, True),
            (True, "ended", 61, False),
            (True, "scheduled", None, False),
            (False, "live", None, False),
            (False, None, None, False),
        ],
    )
    def test_only_where_the_recipient_streams(
        self, *, appears: bool, status: str | None, late_s: int | None, shown: bool
    ) -> None:
        ended_at = None if late_s is None else MONDAY - timedelta(seconds=late_s)

        assert shown is rules.shows(
            appears=appears, status=status, ended_at=ended_at, sent_at=MONDAY
        )


class TestTotals:
    def test_name_every_board_that_a_gift_moves(self) -> None:
        one = gift(stream=ids.new())

        boards = {(b.scope, b.metric, b.period, b.profile_id) for b in rules.totals([one])}

        sender, recipient = one.sender_id, one.recipient_id
        assert boards == {
            *(("global", "sent", period, sender) for period in rules.PERIODS),
            *(("global", "received", period, recipient) for period in rules.PERIODS),
            *(("streamer", "sent", period, sender) for period in rules.PERIODS),
            ("stream", "sent", "all", sender),
        }

    @given(coins=st.lists(st.integers(1, 10**9), min_size=1, max_size=20))
    def test_sum_to_what_was_given(self, coins: list[int]) -> None:
        gifts = [gift(n) for n in coins]

        sums = rules.totals(gifts)

        received = [s for b, s in sums.items() if (b.metric, b.period) == ("received", "all")]
        assert sum(entry.coins for entry in received) == sum(coins)
        assert sum(entry.gifts for entry in received) == len(coins)
        assert rules.totals(gifts, sign=-1).keys() == sums.keys()
