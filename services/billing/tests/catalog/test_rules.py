from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.catalog import rules
from billing.catalog.rules import Edit, Feature, Reset
from hazina import ids

MOMENTS = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001  the strategy adds the zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def feature(key: str = "max_records", limit: int | None = 100, **flags: bool) -> Feature:
    return Feature(ids.new(), key, limit, flags, None, Reset.NEVER, "hard", None, 1)


class TestEdit:
    @pytest.mark.parametrize(
        ("key", "asked"),
        [
            ("max_records", Edit(limit=-2)),
            ("max_records", Edit(flags={"sso": True})),
            ("features", Edit(limit=1)),
            ("features", Edit(flags={"No Way": True})),
        ],
    )
    def test_refuses_what_the_row_cannot_hold(self, key: str, asked: Edit) -> None:
        with pytest.raises(rules.LimitInvalid):
            rules.edit(feature(key), asked)

    @pytest.mark.parametrize("limit", [-1, 0, 1, 10**15])
    def test_sets_a_limit(self, limit: int) -> None:
        assert rules.edit(feature(), Edit(limit=limit)).limit_value == limit

    def test_leaves_what_is_not_named(self) -> None:
        edited = rules.edit(
            feature("features", None, basic=True, sso=False), Edit(flags={"sso": True})
        )

        assert edited.flags == {"basic": True, "sso": True}
        assert rules.edit(feature(), Edit()).limit_value == 100


class TestPeriod:
    @pytest.mark.parametrize(
        ("anchor", "now", "start", "end"),
        [
            ("2026-01-31", "2026-01-31", "2026-01-31", "2026-02-28"),
            ("2026-01-31", "2026-02-27T23:59", "2026-01-31", "2026-02-28"),
            ("2026-01-31", "2026-02-28", "2026-02-28", "2026-03-31"),
            ("2026-01-31", "2026-03-31", "2026-03-31", "2026-04-30"),
            ("2024-02-29", "2025-02-28", "2025-02-28", "2025-03-29"),
            ("2026-12-15", "2027-01-14", "2026-12-15", "2027-01-15"),
            ("2026-03-01T10:30", "2026-04-01T10:29", "2026-03-01T10:30", "2026-04-01T10:30"),
        ],
    )
    def test_steps_from_the_anchor_and_clamps_the_day(
        self, anchor: str, now: str, start: str, end: str
    ) -> None:
        assert rules.period(at(anchor), at(now)) == (at(start), at(end))

    def test_steps_by_years(self) -> None:
        found = rules.period(at("2024-02-29"), at("2026-01-01"), months=12)

        assert found == (at("2025-02-28"), at("2026-02-28"))

    def test_counts_in_utc_whatever_zone_is_given(self) -> None:
        nairobi = timezone(timedelta(hours=3))
        anchor = datetime(2026, 2, 1, 2, tzinfo=nairobi)  # still January in UTC

        assert rules.period(anchor, anchor) == (at("2026-01-31T23:00"), at("2026-02-28T23:00"))

    @given(MOMENTS, MOMENTS, st.sampled_from([1, 12]))
    def test_always_holds_the_moment_and_meets_the_next(
        self, anchor: datetime, now: datetime, months: int
    ) -> None:
        start, end = rules.period(anchor, now, months=months)

        assert start <= now < end
        assert rules.period(anchor, end, months=months)[0] == end
        assert rules.period(anchor, start, months=months) == (start, end)


class TestWindow:
    def test_of_a_level_is_none(self) -> None:
        assert rules.window(Reset.NEVER, at("2026-01-31"), at("2026-02-01")) == (None, None)

    def test_of_a_calendar_month_ignores_the_anchor(self) -> None:
        found = rules.window(Reset.CALENDAR_MONTH, at("2026-01-31"), at("2026-02-11T12:00"))

        assert found == (at("2026-02-01"), at("2026-03-01"))

    def test_of_a_month_steps_from_the_anchor(self) -> None:
        found = rules.window(Reset.MONTH, at("2026-01-31"), at("2026-02-11T12:00"))

        assert found == (at("2026-01-31"), at("2026-02-28"))
