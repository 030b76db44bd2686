import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.payment import rules
from crypto.payment.routes import AMOUNT
from crypto.payment.rules import Ask, Side, Token
from hazina import ids
from hazina.problems import Problem

NOW = datetime(2026, 3, 1, tzinfo=UTC)
VIBES = Token("VIBES", 8)
MINE = Side(ids.new(), ids.new(), None, "base", "0x1", "custodial")
YOURS = Side(ids.new(), ids.new(), None, "base", "0x2", "custodial")


def pay(ask: Ask, token: Token, sender: Side, recipient: Side) -> rules.Posting:
    return rules.pay(ask, token, sender=sender, recipient=recipient, id=ids.new(), now=NOW)


class TestToBase:
    @pytest.mark.parametrize(
        ("amount", "decimals", "base"),
        [
            ("1", 0, 1),
            ("2.5", 8, 250_000_000),
            ("0.00000001", 8, 1),
            ("20447946344588791", 18, 20447946344588791 * 10**18),
            ("0.020447946344588791", 18, 20447946344588791),
            ("999999999999999999999999999999.999999999999999999", 18, 10**48 - 1),
        ],
    )
    def test_counts_exactly(self, amount: str, decimals: int, base: int) -> None:
        assert rules.to_base(amount, decimals) == base

    @pytest.mark.parametrize(
        ("amount", "decimals"), [("0.000000005", 8), ("1.0", 0), ("1.1234567", 6), ("1.0000000", 6)]
    )
    def test_refuses_more_decimals_than_there_are(self, amount: str, decimals: int) -> None:
        with pytest.raises(rules.AmountPrecision):
            rules.to_base(amount, decimals)

    @given(st.from_regex(AMOUNT, fullmatch=True).filter(str.isascii), st.integers(0, 18))
    def test_agrees_with_decimals_and_comes_back(self, amount: str, decimals: int) -> None:
        if len(amount.partition(".")[2]) > decimals:
            return
        base = rules.to_base(amount, decimals)

        with localcontext() as exact:
            exact.prec = 100
            assert Decimal(base) == Decimal(amount).scaleb(decimals)
        assert Decimal(rules.to_text(base, decimals)) == Decimal(amount)
        assert rules.to_base(rules.to_text(base, decimals), decimals) == base


class TestAmount:
    @pytest.mark.parametrize(
        "amount", ["0", "0.0", "0.00", "00", "01", "-1", "+1", "1.", ".1", "1e3"]
    )
    def test_leaves_out_what_is_no_amount(self, amount: str) -> None:
        assert not re.search(AMOUNT, amount)


class TestToText:
    @given(st.integers(-(10**60), 10**60), st.integers(0, 18))
    def test_shows_every_decimal_of_the_token(self, base: int, decimals: int) -> None:
        text = rules.to_text(base, decimals)

        assert len(text.partition(".")[2]) == decimals
        with localcontext() as exact:
            exact.prec = 100
            assert Decimal(text).scaleb(decimals) == base


class TestPay:
    @pytest.mark.parametrize(
        ("ask", "token", "sender", "recipient", "problem"),
        # Each row breaks its own rule and every rule below it, so the order is proven too.
        [
            (
                Ask("0.000000001", metadata={"x": "y" * 4096}),
                replace(VIBES, status="frozen"),
                replace(MINE, frozen=True, wallet_type="hybrid"),
                replace(MINE, frozen=True, wallet_type="hybrid"),
                rules.MetadataTooLarge,
            ),
            (
                Ask("0.000000001"),
                replace(VIBES, status="frozen"),
                replace(MINE, frozen=True, wallet_type="hybrid"),
                replace(MINE, frozen=True, wallet_type="hybrid"),
                rules.AmountPrecision,
            ),
            (
                Ask("1"),
                replace(VIBES, status="frozen"),
                replace(MINE, frozen=True, wallet_type="hybrid"),
                replace(MINE, frozen=True, wallet_type="hybrid"),
                rules.SameWallet,
            ),
            (
                Ask("1"),
                replace(VIBES, status="frozen"),
                replace(MINE, frozen=True, wallet_type="hybrid"),
                replace(YOURS, frozen=True, wallet_type="hybrid"),
                rules.WalletFrozen,
            ),
            (
                Ask("1"),
                replace(VIBES, status="frozen"),
                replace(MINE, wallet_type="hybrid"),
                replace(YOURS, frozen=True, wallet_type="hybrid"),
                rules.RecipientUnavailable,
            ),
            (
                Ask("1"),
                replace(VIBES, status="frozen"),
                MINE,
                replace(YOURS, wallet_type="self_custody"),
                rules.NotCustodial,
            ),
            (Ask("1"), replace(VIBES, status="frozen"), MINE, YOURS, rules.TokenFrozen),
        ],
    )
    def test_refuses_by_the_first_broken_rule(
        self, ask: Ask, token: Token, sender: Side, recipient: Side, problem: type[Problem]
    ) -> None:
        with pytest.raises(problem):
            pay(ask, token, sender, recipient)

    def test_names_where_money_of_another_kind_is_sent(self) -> None:
        with pytest.raises(rules.NotCustodial) as refused:
            pay(Ask("1"), VIBES, MINE, replace(YOURS, wallet_type="self_custody"))

        assert refused.value.facts == {"chain": "base", "address": "0x2"}

    @given(st.integers(1, 10**38))
    def test_takes_from_one_what_it_gives_the_other(self, base: int) -> None:
        made = pay(Ask(rules.to_text(base, 8)), VIBES, MINE, YOURS)

        assert [(entry.wallet_id, entry.delta_base) for entry in made.entries] == [
            (MINE.id, -base),
            (YOURS.id, base),
        ]
        assert (made.from_owner, made.to_owner) == (MINE.user_id, YOURS.user_id)


class TestIssue:
    def issue(self, to: Side | str, base: int = 1, issued: int = 0) -> rules.Posting:
        why = rules.Grant(ids.new(), "genesis", NOW)
        return rules.issue(base, VIBES, to=to, issued_base=issued, grant=why)

    @pytest.mark.parametrize(
        ("to", "problem"),
        [
            (replace(MINE, frozen=True, wallet_type="hybrid"), rules.RecipientUnavailable),
            (replace(MINE, wallet_type="hybrid"), rules.NotCustodial),
            (MINE, rules.SupplyCap),
            ("rewards", rules.SupplyCap),
        ],
    )
    def test_refuses_by_the_first_broken_rule(self, to: Side | str, problem: type[Problem]) -> None:
        with pytest.raises(problem):
            self.issue(to, base=2, issued=rules.SUPPLY_CAP_BASE - 1)

    def test_gives_out_the_very_last_one(self) -> None:
        made = self.issue("rewards", base=2, issued=rules.SUPPLY_CAP_BASE - 2)

        assert [(entry.house, entry.delta_base) for entry in made.entries] == [
            ("issuance", -2),
            ("rewards", 2),
        ]
