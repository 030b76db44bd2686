from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.entitlement import rules
from billing.entitlement.rules import Grant, Snapshot, Standing, Terms
from hazina import ids

FREE = Terms("free", 1, {"max_records": 100, "max_seats": 1}, {"basic": True, "sso": False})
PRO = Terms("pro", 3, {"max_records": 10_000, "max_seats": 5}, {"basic": True, "sso": False})
ORG = ids.new()
ON_PRO = Standing(ORG, "active", PRO)

LIMITS = st.integers(-1, 10**15)
GRANTS = st.lists(
    st.builds(Grant, st.sampled_from(["max_records", "max_boxes"]), add=LIMITS)
    | st.builds(Grant, st.sampled_from(["max_records", "max_boxes"]), set=LIMITS)
    | st.builds(Grant, st.sampled_from(["sso", "vip"]), flag=st.just(True))
    | st.builds(Grant, st.just("vote_weight"), static=LIMITS),
    max_size=8,
)


def settle(standing: Standing = ON_PRO, *grants: Grant, **more: object) -> Snapshot:
    return rules.settle(standing, free=FREE, grants=grants, **more)  # type: ignore[arg-type]


class TestSettle:
    @pytest.mark.parametrize(
        ("status", "plan"),
        [
            ("active", "pro"),
            ("trialing", "pro"),
            ("past_due", "pro"),
            ("unpaid", "free"),
            ("paused", "free"),
        ],
    )
    def test_gives_the_plan_or_free_to_who_does_not_pay(self, status: str, plan: str) -> None:
        made = settle(replace(ON_PRO, status=status))

        assert (made.plan, made.status, made.version) == (plan, status, 1)
        assert made.limits["max_records"] == (10_000 if plan == "pro" else 100)

    @pytest.mark.parametrize(
        ("grants", "limit"),
        [
            ([Grant("max_records", add=5)], 10_005),
            ([Grant("max_records", add=5), Grant("max_records", add=7)], 10_012),
            ([Grant("max_records", add=-1)], -1),
            ([Grant("max_records", set=3)], 3),
            ([Grant("max_records", set=3), Grant("max_records", add=5)], 3),
            ([Grant("max_records", set=3), Grant("max_records", set=9)], 9),
            ([Grant("max_records", set=-1), Grant("max_records", set=9)], -1),
        ],
    )
    def test_adds_grants_up_and_lets_a_set_replace(self, grants: list[Grant], limit: int) -> None:
        assert settle(ON_PRO, *grants).limits["max_records"] == limit

    def test_never_does_arithmetic_with_unlimited(self) -> None:
        unlimited = replace(PRO, limits={"max_records": -1, "max_seats": -1})

        made = settle(Standing(ORG, "active", unlimited, 4), Grant("max_records", add=5))

        assert made.limits == {"max_records": -1, "max_seats": -1}

    def test_adds_seats_that_were_bought(self) -> None:
        assert settle(replace(ON_PRO, extra_seats=3)).limits["max_seats"] == 8

    def test_switches_flags_on_and_never_off(self) -> None:
        made = settle(ON_PRO, Grant("sso", flag=True), Grant("basic", flag=False))

        assert made.features == {"basic": True, "sso": True}

    def test_takes_the_largest_static(self) -> None:
        grants = [Grant("vote_weight", static=n) for n in (2, 3, 1)]

        assert settle(ON_PRO, *grants).statics == {"vote_weight": 3}

    def test_names_levels_that_hold_more_than_allowed(self) -> None:
        made = settle(levels={"max_records": 10_001, "max_seats": 5, "unheard_of": 9})

        assert made.over_limit == ("max_records",)

    def test_is_never_over_an_unlimited_level(self) -> None:
        made = settle(ON_PRO, Grant("max_records", set=-1), levels={"max_records": 10**15})

        assert made.over_limit == ()

    def test_keeps_what_there_was_when_nothing_changed(self) -> None:
        before = settle()

        assert settle(before=before) is before

    def test_counts_a_version_when_anything_changed(self) -> None:
        before = settle()

        after = settle(ON_PRO, Grant("sso", flag=True), before=before)

        assert (after.version, after.digest == before.digest) == (2, False)

    @given(GRANTS, st.randoms(use_true_random=False))
    def test_comes_to_the_same_in_whatever_order_grants_are_read(
        self, grants: list[Grant], chance: object
    ) -> None:
        shuffled = list(grants)
        chance.shuffle(shuffled)  # type: ignore[attr-defined]

        assert settle(ON_PRO, *shuffled).digest == settle(ON_PRO, *grants).digest

    @given(GRANTS)
    def test_there_and_back_is_where_it_was(self, grants: list[Grant]) -> None:
        plain = settle()
        granted = settle(ON_PRO, *grants, before=plain)

        back = settle(before=granted)

        assert back.digest == plain.digest
        assert back.version == (1 if granted is plain else 3)
