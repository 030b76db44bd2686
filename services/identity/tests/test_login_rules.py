from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.login import rules
from identity.login.rules import Throttle

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class TestFail:
    @pytest.mark.parametrize(
        ("failures", "lock_s"),
        [(1, 0), (5, 0), (6, 2), (7, 4), (10, 32), (14, 512), (15, 900), (99, 900)],
    )
    def test_locks_twice_as_long_each_time(self, failures: int, lock_s: int) -> None:
        throttle = rules.fail(Throttle(failures - 1, NOW, None), NOW)

        assert throttle.failures == failures
        assert throttle.locked_until == (NOW + timedelta(seconds=lock_s) if lock_s else None)

    def test_begins_again_after_twelve_hours(self) -> None:
        old = Throttle(50, NOW - timedelta(hours=12), NOW)

        assert rules.fail(old, NOW).failures == 1


class TestIsLocked:
    @given(st.integers(1, 99), st.integers(0, 12 * 3600 - 1))
    def test_never_keeps_the_owner_out_longer_than_a_quarter_of_an_hour(
        self, failures: int, after_s: int
    ) -> None:
        throttle = rules.fail(Throttle(failures - 1, NOW, None), NOW)

        locked = rules.is_locked(throttle, NOW + timedelta(seconds=after_s))

        assert not locked or after_s < 900

    def test_stays_closed_after_a_hundred_until_a_recovery(self) -> None:
        throttle = rules.fail(Throttle(99, NOW, None), NOW)

        assert rules.is_locked(throttle, NOW + timedelta(days=400))

    def test_is_open_for_who_never_failed(self) -> None:
        assert not rules.is_locked(None, NOW)
