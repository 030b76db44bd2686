"""What a posting must be: no database, milliseconds."""

import random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazina import problems
from hazina.problems import Kind, Problem
from ledger.account.rules import (
    AccountFrozen,
    AccountUnknown,
    InsufficientFunds,
    Purpose,
    of_platform,
    of_user,
)
from ledger.posting import rules
from ledger.posting.rules import Attempt, Leg, Posting, Refusal, What

A, B = of_user(UUID(int=1)), of_user(UUID(int=2))
KES = of_user(UUID(int=2), asset="KES")


def posting(*legs: Leg) -> Posting:
    return Posting(UUID(int=9), Attempt(UUID(int=8)), What.TRANSFER, legs)


class TestPosting:
    @pytest.mark.parametrize(
        "legs",
        [
            (),
            (Leg(A, -1), Leg(B, 2)),
            (Leg(A, -1), Leg(KES, 1)),
            (Leg(A, -1), Leg(A, 1)),
            (Leg(A, 0), Leg(B, 0)),
        ],
    )
    def test_cannot_be_made_when_it_does_not_balance(self, legs: tuple[Leg, ...]) -> None:
        with pytest.raises(AssertionError):
            posting(*legs)

    def test_may_set_aside_what_does_not_move(self) -> None:
        assert posting(Leg(A, 0, hold=5)).legs == (Leg(A, 0, 5),)


class TestLegs:
    def test_are_one_per_account_and_never_nothing(self) -> None:
        revenue = of_platform(Purpose.REVENUE)

        legs = rules.legs(((A, -10), (B, 7), (revenue, 0), (B, 3)))

        assert legs == (Leg(A, -10), Leg(B, 10))


digests = st.dictionaries(
    st.text(max_size=8), st.binary(min_size=8, max_size=8).map(bytes.hex), max_size=6
)


class TestAttempt:
    @given(fields=digests, changed=st.binary(min_size=8, max_size=8), pick=st.randoms())
    def test_names_the_field_that_differs(
        self, fields: dict[str, str], changed: bytes, pick: random.Random
    ) -> None:
        before = Attempt(UUID(int=1), fields)
        if not fields:
            return
        name = pick.choice(sorted(fields))
        now = Attempt(UUID(int=1), fields | {name: changed.hex()})

        if now.request_hash == before.request_hash:
            assert fields[name][:8] == changed.hex()[:8]
        else:
            assert now.difference(before.request_hash) == name

    def test_names_nothing_when_a_field_is_missing_now(self) -> None:
        before = Attempt(UUID(int=1), {"/a": "00" * 8, "/b": "11" * 8})

        assert Attempt(UUID(int=1), {"/a": "00" * 8}).difference(before.request_hash) == ""


class TestStandsForEver:
    @pytest.mark.parametrize(
        ("problem", "stands"),
        [(InsufficientFunds(), True), (AccountFrozen(), True), (AccountUnknown(), False)],
    )
    def test_is_what_a_rule_said(self, problem: problems.Problem, stands: bool) -> None:
        assert rules.stands_for_ever(problem) is stands


class TestRefusal:
    def test_is_ours_where_another_service_has_one_of_the_same_code(self) -> None:
        class Theirs(Problem, code="account.frozen", kind=Kind.CONFLICT):
            """A problem of another service."""

        assert not isinstance(Refusal("account.frozen", {}, False).problem(), Theirs)

    def test_is_the_same_problem_again(self) -> None:
        problem = Refusal("account.insufficient_funds", {"needed": 5}, True).problem()

        assert isinstance(problem, InsufficientFunds)
        assert problem.facts == {"needed": 5}
