import os
import signal
import subprocess
import sys

from hazina.outbox import crash

DIE = "from hazina.outbox import crash\nfor _ in range(400): crash.point('before-commit')"


def run(setting: str) -> "subprocess.CompletedProcess[str]":
    """Pass a crash point 400 times in another process."""
    return subprocess.run(  # noqa: S603  our own words
        [sys.executable, "-c", DIE],
        env={**os.environ, "HAZINA_CRASH": setting},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


class TestPoint:
    def test_kills_the_process_and_says_where(self) -> None:
        died = run("0.05:seed")

        assert died.returncode == -signal.SIGKILL
        assert died.stderr == "crash point before-commit\n"

    def test_does_nothing_without_chaos(self) -> None:
        assert run("").returncode == 0
        crash.point("before-commit")
