from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.catalog.rules import Reset
from billing.usage import rules
from billing.usage.rules import LEVEL_START, Bucket, Counter, Fact, Meter, Span, Total
from hazina import ids

ORG = UUID("01938e2a-5b7c-7d3e-8f90-1a2b3c4d5e6f")
METERS = {"record_created": Meter("records", 1), "record_deleted": Meter("records", -1)}
JANUARY = datetime(2026, 1, 31, 12, tzinfo=UTC)
LEVEL = Counter(ORG, "max_records", "records", Reset.NEVER, JANUARY, 100)
MONTHLY = Counter(ORG, "max_runs", "records", Reset.MONTH, JANUARY, 100)

FACTS = st.lists(
    st.builds(
        Fact,
        org_id=st.sampled_from([ORG, ids.new()]),
        source=st.just("notes"),
        event_id=st.text(min_size=1, max_size=4),
        event_type=st.sampled_from([*METERS, "unheard_of"]),
        quantity=st.integers(0, 10**12),
        occurred_at=st.datetimes(
            min_value=datetime(2026, 1, 1),  # noqa: DTZ001  the strategy adds the zone
            max_value=datetime(2026, 6, 1),  # noqa: DTZ001
            timezones=st.just(UTC),
        ),
    ),
    max_size=30,
)


def fact(
    quantity: int = 1, type: str = "record_created", at: datetime = JANUARY, id: str = "r1"
) -> Fact:
    return Fact(ORG, "notes", id, type, quantity, at)


class TestFact:
    def test_is_named_by_source_and_id(self) -> None:
        assert fact(1).key == fact(2).key
        assert fact(id="r1").key != fact(id="r2").key

    def test_is_not_confused_by_where_the_source_ends(self) -> None:
        one = Fact(ORG, "a", "bc", "x", 1, JANUARY)
        other = Fact(ORG, "ab", "c", "x", 1, JANUARY)

        assert one.key != other.key


class TestFold:
    def test_adds_up_by_day_and_month(self) -> None:
        found = rules.fold([fact(2), fact(3), fact(1, "record_deleted")], METERS)

        assert found == {
            Bucket(ORG, "records", "day", date(2026, 1, 31)): Total(4, 3, 3),
            Bucket(ORG, "records", "month", date(2026, 1, 1)): Total(4, 3, 3),
        }

    def test_counts_what_no_meter_knows_nowhere(self) -> None:
        assert rules.fold([fact(type="unheard_of")], METERS) == {}

    @given(FACTS, st.randoms(use_true_random=False))
    def test_comes_to_the_same_in_any_order_and_any_cut(
        self, facts: list[Fact], chance: object
    ) -> None:
        shuffled = list(facts)
        chance.shuffle(shuffled)  # type: ignore[attr-defined]
        cut = len(facts) // 2
        halves = [rules.fold(part, METERS) for part in (facts[:cut], facts[cut:])]

        whole = rules.fold(facts, METERS)

        assert rules.fold(shuffled, METERS) == whole
        joined = dict(halves[0])
        for bucket, total in halves[1].items():
            joined[bucket] = joined[bucket] + total if bucket in joined else total
        assert joined == whole

    @given(FACTS)
    def test_has_the_same_sum_in_days_months_and_facts(self, facts: list[Fact]) -> None:
        found = rules.fold(facts, METERS)

        told = sum(METERS[f.event_type].sign * f.quantity for f in facts if f.event_type in METERS)
        for period in ("day", "month"):
            assert sum(t.sum for b, t in found.items() if b.period == period) == told


class TestCount:
    def test_counts_late_usage_where_it_occurred(self) -> None:
        late = fact(5, at=datetime(2026, 2, 27, tzinfo=UTC))
        after = fact(7, at=datetime(2026, 2, 28, 12, tzinfo=UTC), id="r2")

        found = rules.count([after, late], METERS, [LEVEL, MONTHLY])

        february = datetime(2026, 2, 28, 12, tzinfo=UTC)
        assert found == {
            Span(ORG, "max_records", LEVEL_START, None, 100): 12,
            Span(ORG, "max_runs", JANUARY, february, 100): 5,
            Span(ORG, "max_runs", february, datetime(2026, 3, 31, 12, tzinfo=UTC), 100): 7,
        }

    def test_counts_nothing_against_another_organisations_limit(self) -> None:
        foreign = Fact(ids.new(), "notes", "r1", "record_created", 1, JANUARY)

        assert rules.count([foreign], METERS, [LEVEL]) == {}


class TestReached:
    @pytest.mark.parametrize(
        ("used", "limit", "told", "pct"),
        [
            (49, 100, 0, None),
            (50, 100, 0, 50),
            (79, 100, 50, None),
            (80, 100, 50, 80),
            (100, 100, 0, 100),
            (100, 100, 100, None),
            (120, 100, 80, 100),
            (10**15, -1, 0, None),
            (0, 0, 0, None),
            (1, 0, 0, 100),
        ],
    )
    def test_tells_each_threshold_once(
        self, *, used: int, limit: int, told: int, pct: int | None
    ) -> None:
        assert rules.reached(used, limit, told) == pct


class TestTurns:
    @pytest.mark.parametrize(
        ("at", "turns"),
        [
            ("2026-02-01T00:04", True),
            ("2026-01-31T23:56", True),
            ("2026-01-31T23:54", False),
            ("2026-02-01T00:06", False),
        ],
    )
    def test_knows_when_clocks_may_disagree(self, at: str, turns: bool) -> None:
        assert rules.turns(datetime.fromisoformat(at).replace(tzinfo=UTC)) is turns
