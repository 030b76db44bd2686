"""Places where chaos tests kill the process; free of cost unless HAZINA_CRASH is set."""

import os
import random
import signal
import sys
from collections.abc import Callable


def _nothing(place: str) -> None:
    """Go on: no chaos was asked for."""


def _killer(setting: str) -> Callable[[str], None]:
    """Read "<probability>[:<seed>]" and make the function that dies so often."""
    probability, _, seed = setting.partition(":")
    chance = float(probability)
    dice = random.Random(f"{seed}:{os.getpid()}" if seed else None)  # noqa: S311  not a secret

    def perhaps(place: str) -> None:
        if dice.random() < chance:
            sys.stderr.write(f"crash point {place}\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    return perhaps


# Read at import, so that a crash point without chaos is one call of an empty function.
point: Callable[[str], None] = (
    _killer(os.environ["HAZINA_CRASH"]) if os.environ.get("HAZINA_CRASH") else _nothing
)
