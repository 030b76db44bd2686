import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazina.money import AMOUNT_MAX, BPS, Money, share

amounts = st.integers(0, AMOUNT_MAX)


class TestMoney:
    @given(amounts, amounts)
    def test_adds_and_takes_away_exactly(self, one: int, other: int) -> None:
        both = Money(one, "KES") + Money(other, "KES")

        assert both - Money(other, "KES") == Money(one, "KES")

    def test_never_mixes_assets(self) -> None:
        with pytest.raises(AssertionError, match="KES mixed with USD"):
            Money(1, "KES") + Money(1, "USD")


class TestShare:
    @pytest.mark.parametrize(
        ("minor", "bps", "part"),
        [(100, 3000, 30), (1, 3000, 0), (3, 3333, 0), (4, 2500, 1), (7, 0, 0), (7, BPS, 7)],
    )
    def test_rounds_down(self, minor: int, bps: int, part: int) -> None:
        assert share(minor, bps) == part

    @given(amounts, st.integers(0, BPS))
    def test_is_the_largest_whole_part_that_is_not_too_much(self, minor: int, bps: int) -> None:
        part = share(minor, bps)

        assert part * BPS <= minor * bps < (part + 1) * BPS

    @pytest.mark.parametrize(("minor", "bps"), [(-1, 10), (1, -1), (1, BPS + 1)])
    def test_is_only_taken_of_what_somebody_has(self, minor: int, bps: int) -> None:
        with pytest.raises(AssertionError):
            share(minor, bps)
