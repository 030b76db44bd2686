from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.access import rules
from billing.access.rules import Access, Count, Counted, Entitled
from billing.catalog.rules import Reset
from hazina import ids

ENTITLED = Entitled(
    ids.new(),
    3,
    "free",
    {"max_records": 100, "max_storage_gb": 2, "max_calls": 1000},
    {"basic": True, "sso": False, "api_access": False},
    {"vote_weight": 2},
)
HARD = Counted(Reset.NEVER, "hard", None, "record")
NO_WINDOW = (None, None)


def look(
    feature: str = "max_records",
    used: int = 0,
    reserved: int = 0,
    *,
    entitled: Entitled = ENTITLED,
    counted: Counted = HARD,
    quantity: int = 1,
) -> Access:
    count = Count(used, reserved)
    return rules.look(entitled, feature, counted, count, quantity=quantity, window=NO_WINDOW)


class TestLook:
    def test_knows_no_other_features(self) -> None:
        with pytest.raises(rules.FeatureUnknown):
            look("max_fun")

    @pytest.mark.parametrize(
        ("flag", "allowed", "reason"),
        [("basic", True, None), ("sso", False, "entitlement.feature_unavailable")],
    )
    def test_reads_a_flag(self, flag: str, allowed: bool, reason: str | None) -> None:
        seen = look(flag)

        assert (seen.kind, seen.allowed, seen.reason, seen.limit) == ("flag", allowed, reason, None)

    def test_shows_a_static_value(self) -> None:
        assert (look("vote_weight").kind, look("vote_weight").limit) == ("static", 2)

    @pytest.mark.parametrize(
        ("used", "reserved", "quantity", "allowed", "remaining"),
        [
            (0, 0, 100, True, 100),
            (0, 0, 101, False, 100),
            (96, 0, 4, True, 4),
            (96, 0, 5, False, 4),
            (96, 4, 1, False, 0),
            (120, 0, 1, False, 0),
            (-3, 0, 100, True, 100),
        ],
    )
    def test_counts_to_the_unit(
        self, *, used: int, reserved: int, quantity: int, allowed: bool, remaining: int
    ) -> None:
        seen = look(used=used, reserved=reserved, quantity=quantity)

        assert (seen.allowed, seen.remaining) == (allowed, remaining)
        assert seen.reason == (None if allowed else "quota.level_full")

    def test_says_another_word_where_time_helps(self) -> None:
        seen = look(used=100, counted=replace(HARD, reset=Reset.MONTH))

        assert seen.reason == "quota.limit_reached"

    def test_lets_a_soft_limit_be_passed_and_shows_it(self) -> None:
        seen = look(used=130, counted=replace(HARD, enforcement="soft"))

        assert (seen.allowed, seen.overage, seen.remaining) == (True, 30, 0)

    def test_gives_nothing_of_a_limit_whose_flag_is_off(self) -> None:
        seen = look("max_calls", counted=replace(HARD, requires="api_access"))

        assert (seen.allowed, seen.reason) == (False, "entitlement.feature_unavailable")

    def test_counts_storage_in_bytes(self) -> None:
        assert look("max_storage_gb", used=5).remaining == 2 * 10**9 - 5

    @given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(1, 10**12))
    def test_allows_everything_of_the_unlimited(
        self, used: int, reserved: int, quantity: int
    ) -> None:
        unlimited = replace(ENTITLED, limits={"max_records": -1})

        seen = look(used=used, reserved=reserved, quantity=quantity, entitled=unlimited)

        assert (seen.allowed, seen.limit, seen.remaining, seen.overage) == (True, -1, -1, 0)
