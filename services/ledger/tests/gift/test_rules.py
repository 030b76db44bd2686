"""What a gift costs and how it is shared: no database, milliseconds."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazina.problems import Problem
from ledger.gift import rules
from ledger.gift.rules import GiftType, Split, Wish

AMINA, JUMA, ID = UUID(int=1), UUID(int=2), UUID(int=3)


def kind(*, cost: int = 100, share_bps: int = 7_000, active: bool = True) -> GiftType:
    return GiftType(UUID(int=9), "lion", "Lion", cost, share_bps, None, active)


def wish(recipient: UUID, quantity: int = 1) -> Wish:
    return Wish(UUID(int=9), recipient, quantity, None, None, None)


class TestGive:
    @pytest.mark.parametrize(
        ("recipient", "type", "problem"),
        # Each row breaks its own rule and every rule below it, so the order is proven too.
        [
            (AMINA, None, rules.GiftToSelf),
            (JUMA, None, rules.GiftTypeUnknown),
            (JUMA, kind(active=False), rules.GiftTypeInactive),
        ],
    )
    def test_refuses_by_the_first_broken_rule(
        self, recipient: UUID, type: GiftType | None, problem: type[Problem]
    ) -> None:
        with pytest.raises(problem):
            rules.give(AMINA, wish(recipient), type, id=ID)

    def test_costs_what_all_of_them_cost(self) -> None:
        assert rules.give(AMINA, wish(JUMA, 3), kind(), id=ID).split == Split(210, 90)

    @given(cost=st.integers(1, 10**9), quantity=st.integers(1, 10_000), bps=st.integers(0, 10_000))
    def test_moves_exactly_what_it_costs(self, cost: int, quantity: int, bps: int) -> None:
        gift = rules.give(AMINA, wish(JUMA, quantity), kind(cost=cost, share_bps=bps), id=ID)

        moves = dict(rules.moves(gift))
        assert sum(moves.values()) == 0
        assert moves[rules.purse(gift)] == -cost * quantity
        assert moves[rules.earnings(gift)] >= 0


class TestSplit:
    @pytest.mark.parametrize(
        ("coins", "bps", "split"),
        [
            (100, 7_000, Split(70, 30)),
            (1, 7_000, Split(1, 0)),
            (3, 7_000, Split(3, 0)),
            (4, 7_000, Split(3, 1)),
            (99, 10_000, Split(99, 0)),
            (99, 0, Split(0, 99)),
        ],
    )
    def test_rounds_the_platforms_part_down(self, coins: int, bps: int, split: Split) -> None:
        assert rules.split(coins, bps) == split

    @given(coins=st.integers(0, 10**15), bps=st.integers(0, 10_000))
    def test_loses_no_coin(self, coins: int, bps: int) -> None:
        made = rules.split(coins, bps)

        assert made.coin_amount == coins
        assert made.platform_revenue * 10_000 <= coins * (10_000 - bps)
