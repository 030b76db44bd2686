"""What a moneybox takes, keeps and gives back: no database, milliseconds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazina.problems import Problem
from ledger.account.rules import (
    Account,
    Asset,
    InsufficientFunds,
    Purpose,
    State,
    of_platform,
    of_user,
)
from ledger.moneybox import rules
from ledger.moneybox.rules import DAY, Moneybox, Order, Saved, Status, Tier
from ledger.transfer.rules import AssetNotTransferable, AssetUnknown, SameAccount

JUMA, ID = UUID(int=1), UUID(int=2)
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
KES, COIN = Asset("KES", transferable=True), Asset("COIN", transferable=False)
THIRDS = (700, 500, 200)
TIERS = (
    Tier(1, "One month", 30, 0, THIRDS, frozenset()),
    Tier(2, "Four months", 120, 300, THIRDS, frozenset()),
    Tier(3, "Seven months", 210, 800, THIRDS, frozenset()),
    Tier(4, "Eleven months", 330, 1500, THIRDS, frozenset()),
)
FOR_SELLERS = replace(TIERS[0], roles=frozenset({"seller"}))


def opened(tier: Tier = TIERS[1], percent: int = 10) -> Moneybox:
    return rules.open(JUMA, "buyer", tier, asset=KES, autosave_percent=percent, id=ID, now=NOW)


def order(amount: int = 100, currency: str = "KES", payer: Account | None = None) -> Order:
    payer = payer or of_platform(Purpose.BONUS, currency)
    return Order(JUMA, amount, currency, payer, "order", "A-17")


AMOUNTS = st.integers(1, 10**12)
PLACES = st.sampled_from(TIERS)
# Steps of a box's life: hours that pass, then money in, or (negative) percent of it out.
LIVES = st.lists(st.tuples(st.integers(0, 24 * 60), st.integers(-100, 10**9)), max_size=30)


def live(
    box: Moneybox, steps: list[tuple[int, int]]
) -> tuple[Moneybox, list[tuple[datetime, int]]]:
    """Let a box live as long as it saves; give it, and each amount with its time."""
    now, rows = NOW, []
    for hours, amount in steps:
        now += timedelta(hours=hours)
        if rules.is_due(box, now):
            break
        change = amount if amount > 0 else -(box.balance * -amount // 100)
        if change:
            box = rules.put(box, change, now)
            rows.append((now, change))
    return box, rows


class TestOpen:
    @pytest.mark.parametrize(
        ("asset", "tier", "problem"),
        # Each row breaks its own rule and every rule below it, so the order is proven too.
        [
            (None, None, rules.AssetNotAllowed),
            (COIN, None, rules.AssetNotAllowed),
            (KES, None, rules.TierUnknown),
            (KES, FOR_SELLERS, rules.TierNotForRole),
        ],
    )
    def test_refuses_by_the_first_broken_rule(
        self, asset: Asset | None, tier: Tier | None, problem: type[Problem]
    ) -> None:
        with pytest.raises(problem):
            rules.open(JUMA, "buyer", tier, asset=asset, autosave_percent=0, id=ID, now=NOW)

    def test_lets_the_roles_of_a_tier_in(self) -> None:
        box = rules.open(JUMA, "seller", FOR_SELLERS, asset=KES, autosave_percent=0, id=ID, now=NOW)

        assert (box.role, box.status, box.lock_start_at) == ("seller", Status.ACTIVE, None)


class TestPut:
    def test_begins_the_time_with_the_first_money_only(self) -> None:
        first = rules.put(opened(), 100, NOW + DAY)
        second = rules.put(first, 100, NOW + 2 * DAY)

        assert (first.lock_start_at, first.matures_at) == (NOW + DAY, NOW + 121 * DAY)
        assert (second.lock_start_at, second.matures_at) == (NOW + DAY, NOW + 121 * DAY)
        assert (second.balance, second.money_days) == (200, 100 * 120 + 100 * 119)


class TestBonus:
    @pytest.mark.parametrize(
        ("tier", "bonus"), [(TIERS[0], 0), (TIERS[1], 300), (TIERS[2], 800), (TIERS[3], 1500)]
    )
    def test_is_the_tiers_for_money_that_lay_all_the_time(self, tier: Tier, bonus: int) -> None:
        assert rules.put(opened(tier), 10_000, NOW).projected_bonus == bonus

    def test_counts_the_whole_days_that_money_lies(self) -> None:
        box = rules.put(opened(TIERS[3]), 1, NOW)

        later = rules.put(box, 10_000, NOW + timedelta(days=164, seconds=1))

        # 165 whole days of 330 are left: half of 1,500; the single cent is lost in rounding.
        assert later.projected_bonus == 750

    @given(tier=PLACES, steps=LIVES)
    def test_is_what_the_signed_rows_say_and_never_more_than_the_tiers(
        self, tier: Tier, steps: list[tuple[int, int]]
    ) -> None:
        box, rows = live(opened(tier), steps)

        put_in = sum(amount for _, amount in rows if amount > 0)
        assert 0 <= box.projected_bonus <= put_in * tier.bonus_bps // 10_000
        if box.matures_at is not None:
            saved = [Saved((box.matures_at - at) // DAY, amount) for at, amount in rows]
            held = rules.holding(opened(tier), saved)
            assert (held.balance, held.money_days) == (box.balance, box.money_days)

    @given(tier=PLACES, steps=LIVES)
    def test_is_paid_once(self, tier: Tier, steps: list[tuple[int, int]]) -> None:
        box, _ = live(opened(tier), steps)

        ripe = rules.mature(box)

        assert ripe.balance == box.balance + box.projected_bonus
        assert ripe.projected_bonus == 0
        assert not rules.is_due(ripe, NOW + 1000 * DAY)
        assert sum(leg.amount for leg in rules.maturing(box)) == 0


class TestIsDue:
    def test_begins_with_the_last_day(self) -> None:
        box = rules.put(opened(TIERS[0]), 1, NOW)

        assert not rules.is_due(box, NOW + 30 * DAY - timedelta(microseconds=1))
        assert rules.is_due(box, NOW + 30 * DAY)
        assert not rules.is_due(opened(), NOW + 1000 * DAY)


class TestWithdraw:
    @pytest.mark.parametrize(
        ("days", "penalty"),
        [
            *((-1, 700), (0, 700), (39.99, 700), (40, 500), (79.99, 500)),
            *((80, 200), (119.99, 200), (120, 0), (500, 0)),
        ],
    )
    def test_costs_less_in_each_third(self, days: float, penalty: int) -> None:
        box = rules.put(opened(), 20_000, NOW)

        out = rules.withdraw(box, 10_000, NOW + timedelta(days=days))

        assert (out.amount, out.penalty, out.net) == (10_000, penalty, 10_000 - penalty)

    def test_costs_nothing_when_it_is_mature(self) -> None:
        box = rules.mature(rules.put(opened(), 20_000, NOW))

        assert rules.withdraw(box, None, NOW).penalty == 0

    def test_needs_something_to_take(self) -> None:
        with pytest.raises(InsufficientFunds):
            rules.withdraw(opened(), None, NOW)

    @given(amount=AMOUNTS, put=AMOUNTS, tier=PLACES, days=st.integers(0, 400))
    def test_moves_exactly_what_leaves(self, amount: int, put: int, tier: Tier, days: int) -> None:
        box = rules.put(opened(tier), put, NOW)

        out = rules.withdraw(box, amount, NOW + days * DAY)

        moves = {leg.account: leg.amount for leg in rules.withdrawing(box, out)}
        assert sum(moves.values()) == 0
        assert moves[box.account] == -amount
        assert out.penalty * 10_000 <= amount * 700

    def test_closes_the_box_with_its_last_money(self) -> None:
        box = rules.put(opened(), 100, NOW)

        some = rules.taken(box, rules.withdraw(box, 99, NOW), NOW)
        whole = rules.taken(box, rules.withdraw(box, None, NOW), NOW)

        assert (some.status, some.balance) == (Status.ACTIVE, 1)
        assert (whole.status, whole.balance, whole.projected_bonus) == (Status.WITHDRAWN, 0, 0)
        with pytest.raises(InsufficientFunds):
            rules.taken(box, rules.withdraw(box, 101, NOW), NOW)


class TestRequire:
    @pytest.mark.parametrize("status", [Status.MATURED, Status.WITHDRAWN, Status.LIQUIDATED])
    def test_saves_only_while_active(self, status: Status) -> None:
        with pytest.raises(rules.MoneyboxNotOpen):
            rules.require_saving(replace(opened(), status=status), NOW)

    def test_saves_nothing_once_its_time_is_over(self) -> None:
        box = rules.put(opened(), 1, NOW)
        rules.require_saving(box, NOW + 119 * DAY)

        with pytest.raises(rules.MoneyboxNotOpen) as refused:
            rules.require_saving(box, NOW + 120 * DAY)

        assert refused.value.facts == {"state": "MATURED"}

    def test_is_open_until_it_is_empty_for_good(self) -> None:
        rules.require_open(replace(opened(), status=Status.MATURED))

        with pytest.raises(rules.MoneyboxNotOpen):
            rules.require_open(replace(opened(), status=Status.WITHDRAWN))


class TestSwept:
    @given(amount=AMOUNTS, percent=st.integers(0, 50))
    def test_is_a_part_rounded_down_and_nothing_is_lost(self, amount: int, percent: int) -> None:
        box, wanted = opened(percent=percent), order(amount)

        part = rules.swept(box, wanted, frozen=False, now=NOW)

        assert part * 100 <= amount * percent < (part + 1) * 100
        moves = {leg.account: leg.amount for leg in rules.crediting(wanted, box, part)}
        assert sum(moves.values()) == 0
        assert moves[wanted.payer] == -amount
        assert moves[box.purse] == amount - part
        assert moves.get(box.account, 0) == part

    @pytest.mark.parametrize(
        ("box", "currency", "frozen"),
        [
            (None, "KES", False),
            (opened(), "USD", False),
            (opened(), "KES", True),
            (rules.mature(opened()), "KES", False),
            (rules.put(opened(), 1, NOW - 121 * DAY), "KES", False),
        ],
    )
    def test_is_nothing_where_nothing_is_saved(
        self,
        box: Moneybox | None,
        currency: str,
        frozen: bool,
    ) -> None:
        assert rules.swept(box, order(1_000, currency), frozen=frozen, now=NOW) == 0

    def test_names_no_box_that_took_nothing(self) -> None:
        made = rules.credit(order(9), opened(), 0, id=ID, now=NOW)

        assert (made.moneybox_id, made.credited_amount) == (None, 9)


class TestRequirePayable:
    @pytest.mark.parametrize(
        ("wanted", "problem"),
        # Each row breaks its own rule and every rule below it, so the order is proven too.
        [
            (order(1, "XXX", of_user(JUMA, asset="XXX")), AssetUnknown),
            (order(1, "COIN", of_user(JUMA)), AssetNotTransferable),
            (order(1, "KES", of_user(JUMA, Purpose.EARNINGS, "KES")), SameAccount),
            (order(1, "KES", of_user(ID, Purpose.MONEYBOX, "KES")), SameAccount),
        ],
    )
    def test_refuses_by_the_first_broken_rule(self, wanted: Order, problem: type[Problem]) -> None:
        with pytest.raises(problem):
            rules.require_payable(wanted, {"KES": KES, "COIN": COIN})


class TestLiquidationCause:
    @pytest.mark.parametrize(
        ("state", "days", "cause"),
        [
            (State.ACTIVE, 400, None),
            (State.SUSPENDED, 29.99, None),
            (State.SUSPENDED, 30, "suspended"),
            (State.BANNED, 0, "banned"),
            (State.ERASED, 0, "erased"),
        ],
    )
    def test_spares_short_suspensions(self, state: State, days: float, cause: str | None) -> None:
        since = NOW - timedelta(days=days)

        assert rules.liquidation_cause(state, since, NOW) == cause


class TestAsItWas:
    @given(tier=PLACES, steps=LIVES)
    def test_gives_back_what_was_noted(self, tier: Tier, steps: list[tuple[int, int]]) -> None:
        box, _ = live(opened(tier), steps)
        later = rules.liquidate(replace(box, autosave_percent=50))

        assert rules.as_it_was(later, rules.noted(box)) == box
        assert rules.as_opened(later, 10) == opened(tier)
