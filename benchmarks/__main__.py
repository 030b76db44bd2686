"""Run a bar by its name, or all of them one after the other."""

import subprocess
import sys
from pathlib import Path

NOT_BARS = {"__init__", "__main__", "report", "house"}


def names() -> list[str]:
    """List the bars there are."""
    files = Path(__file__).parent.glob("*.py")
    return sorted(file.stem for file in files if file.stem not in NOT_BARS)


def main(asked: list[str]) -> int:
    """Run each bar in a process of its own, so that none warms another."""
    unknown = set(asked) - set(names())
    if unknown:
        print(f"There is no bar {', '.join(sorted(unknown))}. There are: {', '.join(names())}.")
        return 2
    failed = [
        name
        for name in asked or names()
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    ]
    if failed:
        print(f"could not be measured: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
