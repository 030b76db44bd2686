from collections import Counter

from hazina import ids
from streaming.cell import rules


class TestCellOf:
    def test_spreads_streams_over_all_cells(self) -> None:
        found = Counter(rules.cell_of(ids.new()) for _ in range(20_000))

        assert set(found) == set(range(64))
        assert max(found.values()) < 2 * 20_000 / 64

    def test_is_the_same_for_ever(self) -> None:
        assert rules.cell_of(ids.derived("stream")) == 51


class TestTrusted:
    def test_ends_before_the_lease_does(self) -> None:
        assert rules.trusted(renewed_at=100.0, now=108.0)
        assert not rules.trusted(renewed_at=100.0, now=108.1)
        assert rules.TRUST_S < rules.LEASE_S
