"""Which transfers make sense, and whose money may move: no database, milliseconds."""

from uuid import UUID

import pytest

from hazina.problems import Problem
from ledger.account.rules import Account, Asset, Mover, OwnerType, Purpose, of_platform, of_user
from ledger.transfer import rules
from ledger.transfer.rules import Order

AMINA, JUMA, CHAMA = UUID(int=1), UUID(int=2), UUID(int=3)
ASSETS = {"KES": Asset("KES", True), "COIN": Asset("COIN", False)}
OWN = of_user(AMINA, asset="KES")
HIS = of_user(JUMA, asset="KES")
TREASURY = Account(OwnerType.ORG, CHAMA, "KES")


def order(payer: Account, payee: Account) -> Order:
    return Order(payer, payee, 1, None, {})


class TestTransfer:
    @pytest.mark.parametrize(
        ("asset", "same", "problem"),
        # Each row breaks its own rule and every rule below it, so the order is proven too.
        [
            ("XAU", True, rules.SameAccount),
            ("XAU", False, rules.AssetUnknown),
            ("COIN", False, rules.AssetNotTransferable),
        ],
    )
    def test_refuses_by_the_first_broken_rule(
        self, asset: str, same: bool, problem: type[Problem]
    ) -> None:
        payer = of_user(AMINA, asset=asset)
        payee = payer if same else of_user(JUMA, asset=asset)

        with pytest.raises(problem):
            rules.transfer(Mover(AMINA), order(payer, payee), ASSETS)

    def test_lets_the_trusted_move_what_is_not_sent(self) -> None:
        payer, payee = of_platform(Purpose.BONUS), of_user(AMINA)

        rules.transfer(Mover(None, trusted=True), order(payer, payee), ASSETS)


class TestMayMove:
    @pytest.mark.parametrize(
        ("mover", "payer", "payee", "may"),
        [
            (Mover(AMINA), OWN, HIS, True),
            (Mover(AMINA), OWN, TREASURY, True),
            (Mover(AMINA), HIS, OWN, False),
            (Mover(AMINA), TREASURY, OWN, False),
            (Mover(AMINA, org_id=CHAMA), TREASURY, OWN, True),
            (Mover(AMINA), of_user(AMINA, Purpose.EARNINGS, "KES"), HIS, False),
            (Mover(AMINA), OWN, of_user(JUMA, Purpose.EARNINGS, "KES"), False),
            (Mover(AMINA), OWN, of_platform(Purpose.REVENUE, "KES"), False),
            (Mover(AMINA), of_platform(Purpose.REVENUE, "KES"), OWN, False),
            (Mover(None, trusted=True), of_platform(Purpose.BONUS, "KES"), OWN, True),
            (Mover(None), HIS, OWN, False),
        ],
    )
    def test_lets_nobody_spend_what_is_not_theirs(
        self, mover: Mover, payer: Account, payee: Account, may: bool
    ) -> None:
        assert rules.may_move(mover, order(payer, payee)) is may

    @pytest.mark.parametrize("purpose", [Purpose.MONEYBOX, Purpose.DEBT, Purpose.PENDING])
    def test_lets_nobody_move_what_a_capability_keeps(self, purpose: Purpose) -> None:
        kept = of_user(AMINA, purpose, "KES")

        for mover in (Mover(AMINA), Mover(None, trusted=True)):
            assert not rules.may_move(mover, order(kept, HIS))
            assert not rules.may_move(mover, order(HIS, kept))
