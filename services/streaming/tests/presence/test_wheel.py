from hypothesis import given
from hypothesis import strategies as st

from streaming.presence.rules import Wheel

PATIENCE_S = 30


def swept(wheel: Wheel, start: float, seconds: int) -> dict[int, float]:
    """Sweep once a second, dropping what is overdue; give when each row was."""
    gone: dict[int, float] = {}
    for second in range(1, seconds + 1):
        for row in wheel.sweep(start + second):
            assert row not in gone, "a row expires once"
            gone[row] = start + second
            wheel.drop(row)
    return gone


class TestSweep:
    @given(start=st.floats(0, 1e6))
    def test_expires_a_silent_row_within_a_second_of_its_deadline(self, start: float) -> None:
        wheel = Wheel(start, PATIENCE_S)
        row = wheel.add(start)

        gone = swept(wheel, start, 40)

        assert PATIENCE_S <= gone[row] - start <= PATIENCE_S + 1.001

    @given(beats=st.lists(st.integers(1, 100), max_size=20))
    def test_expires_patience_after_the_last_beat(self, beats: list[int]) -> None:
        wheel = Wheel(0.0, PATIENCE_S)
        row = wheel.add(0.0)
        last, gone = 0, None
        for second in range(1, 200):
            if second in beats and gone is None:
                wheel.beat(row, float(second))
                last = second
            for over in wheel.sweep(float(second)):
                wheel.drop(over)
                gone = second

        # The beat of a row that had expired before is no beat.
        assert gone is not None
        assert PATIENCE_S <= gone - last <= PATIENCE_S + 1

    def test_forgives_its_own_stall(self) -> None:
        wheel = Wheel(0.0, PATIENCE_S)
        row = wheel.add(0.0)

        assert wheel.sweep(100.0) == [], "nobody could have been heard"
        assert swept(wheel, 100.0, 40)[row] == 129.0

    def test_counts_a_short_pause(self) -> None:
        wheel = Wheel(0.0, PATIENCE_S)
        row = wheel.add(0.0)
        wheel.sweep(2.0)

        assert swept(wheel, 2.0, 40)[row] == 30.0

    def test_a_beat_never_moves_back(self) -> None:
        wheel = Wheel(0.0, PATIENCE_S)
        row = wheel.add(10.0)
        wheel.beat(row, 3.0)

        assert wheel.silent_for(row, 15.0) == 5.0


class TestBound:
    def test_ends_a_row_whatever_is_heard(self) -> None:
        wheel = Wheel(0.0, PATIENCE_S)
        row = wheel.add(0.0)
        wheel.bound(row, 5.0)
        wheel.beat(row, 4.0)

        assert swept(wheel, 0.0, 40)[row] == 5.0

    def test_can_be_taken_back(self) -> None:
        wheel = Wheel(0.0, PATIENCE_S)
        row = wheel.add(0.0)
        wheel.bound(row, 5.0)
        wheel.unbind(row)

        assert swept(wheel, 0.0, 40)[row] == 30.0


class TestDrop:
    @given(order=st.lists(st.integers(0, 9), max_size=60))
    def test_gives_numbers_out_again_without_mixing_lives(self, order: list[int]) -> None:
        wheel = Wheel(0.0, PATIENCE_S)
        born: dict[int, float] = {}
        for second, n in enumerate(order, 1):
            for over in wheel.sweep(float(second)):
                assert second - born.pop(over) >= PATIENCE_S
                wheel.drop(over)
            if n in born:
                wheel.drop(n)
                del born[n]
            else:
                born[wheel.add(float(second))] = float(second)

        gone = swept(wheel, float(len(order)), 40)

        assert set(gone) == set(born)
