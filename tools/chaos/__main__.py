"""`make chaos`: faults for a while, then quiet, then the judge. Exits 0 only with zeros."""

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tools.chaos.checker import Verdict
from tools.chaos.nemesis import Nemesis, Plan, Troupe
from tools.chaos.stage import Stage, stage

SETTLE_S = 60  # without any progress for so long, what is missing counts as lost
CRASH_CHANCE = 0.002  # at each crash point passed


def plan(seconds: float, seed: int) -> Plan:
    """Spread the default faults over `seconds`, more of them when it is longer than usual."""
    scale = max(1.0, seconds / 120)
    return Plan(
        seconds=seconds,
        seed=seed,
        kills=round(130 * scale),  # some find a process dead already
        broker_kills=round(10 * scale),
        database_kills=round(3 * scale),
        lost_tails=round(3 * scale),
    )


def settle(house: Stage, troupe: Troupe) -> None:
    """Stop telling, let everything that was told arrive without further faults."""
    troupe.leave(("producer",))
    committed, applied = house.progress()
    quiet_since = time.monotonic()
    while applied != committed and time.monotonic() - quiet_since < SETTLE_S:
        troupe.revive(("relay", "relay", "listener", "listener"))
        time.sleep(0.2)
        before, (committed, applied) = applied, house.progress()
        if applied != before:
            quiet_since = time.monotonic()
    time.sleep(1)  # a doubled one would still come


def report(console: Console, nemesis: Nemesis, verdict: Verdict, quarantined: int) -> None:
    """Print what was done to the house and what came of it."""
    table = Table(title="what was done")
    table.add_column("fault")
    table.add_column("times", justify="right")
    for role, count in sorted(nemesis.troupe.deaths.items()):
        table.add_row(f"{role} processes killed", str(count))
    for what, count in sorted(nemesis.done.items()):
        if what != "process kills":
            table.add_row(what, str(count))
    table.add_row("acknowledged facts the broker forgot", str(nemesis.forgotten))
    console.print(table)
    outcome = Table(title="what came of it")
    for column in ("committed", "applied", "lost", "doubled", "phantom", "misordered", "set aside"):
        outcome.add_column(column, justify="right")
    counts = (verdict.lost, verdict.doubled, verdict.phantom, verdict.misordered)
    outcome.add_row(
        str(verdict.committed),
        str(verdict.applied),
        *(str(len(c)) for c in counts),
        str(quarantined),
    )
    console.print(outcome)


def main(arguments: list[str]) -> int:
    """Play, judge and report."""
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--keep", type=Path, help="keep data and logs in this folder")
    asked = parser.parse_args(arguments)
    console = Console()
    console.print(f"chaos for {asked.seconds:g} s; repeat with SEED={asked.seed}")
    # Before any player is imported: crash points read it then.
    os.environ["HAZINA_CRASH"] = f"{CRASH_CHANCE}:{asked.seed}"
    with tempfile.TemporaryDirectory(prefix="hazina-chaos-") as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with stage(folder) as house:
            troupe = Troupe(house, asked.seed, folder)
            nemesis = Nemesis(plan(asked.seconds, asked.seed), house, troupe)
            try:
                with Progress(console=console) as progress:
                    bar = progress.add_task("faults", total=asked.seconds)
                    for gone in nemesis.rage():
                        progress.update(bar, completed=gone)
                settle(house, troupe)
            finally:
                troupe.end()
            verdict, quarantined = house.verdict(), house.quarantined()
    report(console, nemesis, verdict, quarantined)
    clean = verdict.clean and not quarantined
    console.print(
        f"chaos: {'nothing lost, doubled, made up or out of order' if clean else 'FAILED'}"
    )
    return not clean


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
