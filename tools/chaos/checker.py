"""The judge: compares what was committed with what was applied. Knows nothing of the handoff."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Fact(NamedTuple):
    """One thing that happened: the n-th of its key, where n counts from 1 without gaps."""

    key: str
    version: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What went wrong, each as a list of facts; all empty when nothing did."""

    committed: int
    applied: int
    lost: list[Fact]
    doubled: list[Fact]
    phantom: list[Fact]
    misordered: list[Fact]

    @property
    def clean(self) -> bool:
        """Tell whether every committed fact was applied exactly once and in its key's order."""
        return not (self.lost or self.doubled or self.phantom or self.misordered)


def judge(committed: Iterable[Fact], applied: Iterable[Fact]) -> Verdict:
    """Compare what the producers committed (any order) with what was applied (in that order).

    A fact is misordered when a later one of its key was applied before it. A second application
    is counted as doubled only, whatever its place.
    """
    truth = set(committed)
    times: Counter[Fact] = Counter()
    newest: dict[str, int] = {}
    misordered = []
    for fact in applied:
        times[fact] += 1
        if times[fact] > 1:
            continue
        if fact.version < newest.get(fact.key, 0):
            misordered.append(fact)
        newest[fact.key] = max(fact.version, newest.get(fact.key, 0))
    return Verdict(
        committed=len(truth),
        applied=times.total(),
        lost=sorted(truth - set(times)),
        doubled=sorted(fact for fact, count in times.items() if count > 1),
        phantom=sorted(set(times) - truth),
        misordered=sorted(misordered),
    )
