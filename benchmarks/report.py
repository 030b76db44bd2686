"""How a bar tells what it measured: a table for people, one JSON object for machines."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Bar:
    """What is measured and what it should reach."""

    name: str
    unit: str
    target: float
    lower_is_better: bool = False

    def reached(self, value: float) -> bool:
        """Tell whether `value` meets the target."""
        return value <= self.target if self.lower_is_better else value >= self.target


def tell(
    bar: Bar,
    value: float,
    *,
    baseline: Mapping[str, object],
    rounds: Sequence[Mapping[str, float]],
) -> None:
    """Print every round, the medians and, as the last line, the figure with its baseline."""
    console = Console()
    table = Table(title=bar.name)
    columns = list(rounds[0])
    for column in ("round", *columns):
        table.add_column(column, justify="right")
    for number, row in enumerate(rounds, 1):
        table.add_row(str(number), *(f"{row[column]:,.2f}" for column in columns))
    table.add_section()
    table.add_row(
        "median", *(f"{statistics.median(row[c] for row in rounds):,.2f}" for c in columns)
    )
    console.print(table)
    sign = "≤" if bar.lower_is_better else "≥"
    verdict = "reached" if bar.reached(value) else "MISSED"
    console.print(f"{bar.name}: {value:,.2f} {bar.unit}, target {sign} {bar.target:g}: {verdict}")
    print(
        json.dumps(
            {
                "bar": bar.name,
                "value": round(value, 4),
                "unit": bar.unit,
                "target": bar.target,
                "baseline": dict(baseline),
                "n": len(rounds),
            }
        )
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Give the smallest value that at least `share` (0 to 1) of `values` do not exceed."""
    ordered = sorted(values)
    rank = math.ceil(len(ordered) * share)
    return ordered[max(rank, 1) - 1]
