"""When a purchase becomes coins: no database, milliseconds."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazina.problems import Problem
from ledger.account.rules import Purpose
from ledger.providers.notices import Fact, Notice
from ledger.purchase import rules
from ledger.purchase.rules import Package, Purchase, Status, Step

NOW = datetime(2026, 11, 21, tzinfo=UTC)
AMINA = UUID(int=1)
PACKAGE = Package(UUID(int=2), "p", "P", 1_000, 50, None, None, True, {"USD": 999, "KES": 1})
PURCHASE = rules.start(
    PACKAGE, currency="USD", provider="stripe", profile_id=AMINA, id=UUID(int=3), now=NOW
)


def paid(amount: int = 999, currency: str = "USD", payment: str = "pi_1") -> Notice:
    return Notice("stripe", "evt_1", "x", Fact.PAID, payment, PURCHASE.id, amount, currency)


class TestStart:
    @pytest.mark.parametrize(
        ("package", "currency", "problem"),
        [
            (None, "XAU", rules.PackageUnknown),
            (replace(PACKAGE, is_active=False), "XAU", rules.PackageUnknown),
            (PACKAGE, "XAU", rules.NoPrice),
        ],
    )
    def test_refuses_by_the_first_broken_rule(
        self, package: Package | None, currency: str, problem: type[Problem]
    ) -> None:
        with pytest.raises(problem):
            rules.start(
                package, currency=currency, provider="stripe", profile_id=AMINA, id=AMINA, now=NOW
            )


class TestIsLarge:
    @pytest.mark.parametrize(
        ("prices", "large"),
        [({"USD": 2_499_999}, False), ({"USD": 2_500_000}, True), ({"KES": 1}, True)],
    )
    def test_goes_by_the_price_in_dollars(self, prices: dict[str, int], large: bool) -> None:
        assert rules.is_large(replace(PACKAGE, prices=prices), 2_500_000) is large


class TestAfterPayment:
    @pytest.mark.parametrize(
        ("status", "notice", "large", "step"),
        [
            (Status.PENDING, paid(), False, Step.CONFIRM),
            (Status.FAILED, paid(), False, Step.CONFIRM),
            (Status.EXPIRED, paid(), False, Step.CONFIRM),
            (Status.PENDING, paid(), True, Step.REVIEW_AGAIN),
            (Status.PENDING, paid(998), True, Step.REVIEW_AMOUNT),
            (Status.PENDING, paid(999, "KES"), False, Step.REVIEW_AMOUNT),
            (Status.CONFIRMED, paid(1), False, Step.NOTHING),
            (Status.REVIEW, paid(), False, Step.NOTHING),
            (Status.REFUNDED, paid(), False, Step.NOTHING),
            (Status.CHARGEBACK, paid(), False, Step.NOTHING),
            (Status.PENDING, paid(payment="pi_2"), False, Step.PARK),
            (Status.CONFIRMED, paid(payment="pi_2"), False, Step.PARK),
        ],
    )
    def test_says_what_to_do(self, status: Status, notice: Notice, large: bool, step: Step) -> None:
        purchase = replace(PURCHASE, status=status, provider_payment_id="pi_1")

        assert rules.after_payment(purchase, notice, large=large) is step


class TestAfterCancel:
    @pytest.mark.parametrize("status", Status)
    def test_fails_what_is_pending_only(self, status: Status) -> None:
        step = rules.after_cancel(replace(PURCHASE, status=status))

        assert (step is Step.FAIL) == (status is Status.PENDING)


class TestConfirmation:
    @given(
        coins=st.integers(1, 10**9),
        bonus=st.integers(0, 10**9),
        amount=st.integers(1, 10**9),
        debt=st.integers(0, 10**10),
    )
    def test_balances_in_each_asset_and_repays_debt_first(
        self, coins: int, bonus: int, amount: int, debt: int
    ) -> None:
        purchase: Purchase = replace(PURCHASE, coin_amount=coins, bonus_coins=bonus, amount=amount)

        moves = dict(rules.confirmation(purchase, debt))

        sums: Counter[str] = Counter()
        for account, moved in moves.items():
            sums[account.asset] += moved
        assert not any(sums.values())
        by_purpose = {account.purpose: moved for account, moved in moves.items()}
        assert by_purpose[Purpose.DEBT] == min(debt, coins + bonus)
        assert by_purpose[Purpose.AVAILABLE] == coins + bonus - by_purpose[Purpose.DEBT]
        assert by_purpose[Purpose.FLOAT] == amount
