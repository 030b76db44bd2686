from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.quota import rules
from billing.quota.rules import Reservation
from hazina import ids

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPEN = Reservation(ids.new(), ids.new(), "max_records", NOON, 10, 0, "open")


class TestSettle:
    @pytest.mark.parametrize(
        ("settled", "status", "quantity", "final", "freed", "overrun", "after"),
        [
            (0, "open", 4, False, 4, 0, "open"),
            (4, "open", 6, False, 6, 0, "open"),
            (4, "open", 6, True, 6, 0, "settled"),
            (4, "open", 0, True, 6, 0, "settled"),
            (0, "open", 0, True, 10, 0, "settled"),
            (0, "open", 12, False, 10, 2, "open"),
            (12, "open", 1, False, 0, 3, "open"),
            (0, "expired", 4, False, 0, 0, "expired"),
            (0, "expired", 12, True, 0, 2, "settled"),
        ],
    )
    def test_frees_what_was_used_and_at_the_end_the_rest(
        self,
        *,
        settled: int,
        status: str,
        quantity: int,
        final: bool,
        freed: int,
        overrun: int,
        after: str,
    ) -> None:
        made = rules.settle(replace(OPEN, settled=settled, status=status), quantity, final=final)

        assert (made.freed, made.overrun, made.status) == (freed, overrun, after)
        assert made.settled == settled + quantity

    def test_refuses_one_that_was_settled_for_good(self) -> None:
        with pytest.raises(rules.ReservationClosed):
            rules.settle(replace(OPEN, status="settled"), 0, final=True)

    @given(st.lists(st.integers(0, 20), max_size=10))
    def test_frees_all_that_was_set_aside_and_never_more(self, parts: list[int]) -> None:
        reservation, freed = OPEN, 0
        for quantity in parts:
            made = rules.settle(reservation, quantity, final=False)
            reservation = replace(reservation, settled=made.settled)
            freed += made.freed
        last = rules.settle(reservation, 0, final=True)

        assert freed + last.freed == OPEN.amount
        assert last.overrun == max(0, sum(parts) - OPEN.amount)
