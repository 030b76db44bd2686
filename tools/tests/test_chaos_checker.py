"""The judge is judged: every fault class, planted in a correct history, is caught and named."""

import random
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools.chaos.checker import Fact, judge

FAULTS = ("lost", "doubled", "phantom", "misordered")


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Fact], list[Fact]]:
    """What was committed, and one correct order in which it may have been applied."""
    counts = draw(st.dictionaries(st.sampled_from("abcde"), st.integers(2, 6), min_size=1))
    committed = [Fact(key, n) for key, count in counts.items() for n in range(1, count + 1)]
    waiting = {key: [f for f in committed if f.key == key] for key in counts}
    chance = random.Random(draw(st.integers()))
    applied = []
    while waiting:
        key = chance.choice(sorted(waiting))
        applied.append(waiting[key].pop(0))
        if not waiting[key]:
            del waiting[key]
    return committed, applied


def plant(fault: str, applied: list[Fact], at: int) -> tuple[list[Fact], set[Fact]]:
    """Give a history with one fault, and the facts that the judge must name for it."""
    place = at % len(applied)
    fact = applied[place]
    if fault == "lost":
        return applied[:place] + applied[place + 1 :], {fact}
    if fault == "doubled":
        return [*applied, fact], {fact}
    if fault == "phantom":
        ghost = Fact(fact.key, 99)
        return [*applied, ghost], {ghost}
    first = next(f for f in applied if f.version == 1)
    moved = [f for f in applied if f != first]
    moved.insert(moved.index(Fact(first.key, 2)) + 1, first)
    return moved, {first}


class TestJudge:
    @given(histories())
    def test_acquits_the_innocent(self, history: tuple[list[Fact], list[Fact]]) -> None:
        verdict = judge(*history)

        assert verdict.clean
        assert verdict.committed == verdict.applied == len(history[0])

    @pytest.mark.parametrize("fault", FAULTS)
    @given(history=histories(), at=st.integers(0, 1_000))
    def test_catches_the_planted_fault_and_names_it(
        self, fault: str, history: tuple[list[Fact], list[Fact]], at: int
    ) -> None:
        committed, applied = history
        tampered, culprits = plant(fault, applied, at)

        verdict = judge(committed, tampered)

        assert not verdict.clean
        found = {f.name: set(getattr(verdict, f.name)) for f in fields(verdict)[2:]}
        assert found == {name: culprits if name == fault else set() for name in FAULTS}
