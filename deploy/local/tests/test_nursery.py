"""The nursery: what it forks is what `python -m` would be, and ends as that would."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hazina.embedded import Trouble
from hazina_local import nursery as nurseries
from hazina_local.nursery import Nursery

pytestmark = pytest.mark.skipif(not nurseries.WORKS, reason="forks only on Linux")

PROGRAM = """
    import os, sys, time
    print(__name__, sys.argv[1:], os.environ["TOLD"], "HOME" in os.environ, flush=True)
    if sys.argv[1] == "wait":
        time.sleep(60)
    sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The environment of a child: it finds the module `newborn` of this test."""
    (tmp_path / "newborn.py").write_text(textwrap.dedent(PROGRAM))
    return {"TOLD": "something", "PATH": os.environ["PATH"]}


@pytest.fixture
def nursery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nursery]:
    """A nursery that can find the module of this test."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    running = Nursery()
    yield running
    running.close()


class TestNursery:
    @pytest.mark.parametrize("code", [0, 3, 78])
    def test_bears_what_python_m_would_be(
        self, nursery: Nursery, tmp_path: Path, env: dict[str, str], code: int
    ) -> None:
        child = nursery.bear("n", ["newborn", str(code), "x"], log=tmp_path / "log", env=env)

        assert child.wait(60) == child.exit_code == code
        said = (tmp_path / "log").read_text()
        assert said == f"__main__ ['{code}', 'x'] something False\n"

    def test_bears_a_child_that_a_signal_ends(
        self, nursery: Nursery, tmp_path: Path, env: dict[str, str]
    ) -> None:
        child = nursery.bear("n", ["newborn", "wait"], log=tmp_path / "log", env=env)
        assert child.exit_code is None

        child.stop()

        assert child.exit_code == -signal.SIGTERM
        assert not psutil.pid_exists(child.pid)

    def test_says_what_a_child_could_not_load(
        self, nursery: Nursery, tmp_path: Path, env: dict[str, str]
    ) -> None:
        child = nursery.bear("n", ["no_such_module"], log=tmp_path / "log", env=env)

        assert child.wait(60) == 1
        assert "No module named no_such_module" in child.last_words()

    def test_bears_many_at_once(
        self, nursery: Nursery, tmp_path: Path, env: dict[str, str]
    ) -> None:
        children = [
            nursery.bear(str(n), ["newborn", str(n)], log=tmp_path / f"log{n}", env=env)
            for n in range(8)
        ]

        assert [child.wait(60) for child in children] == list(range(8))

    def test_takes_its_children_along_when_it_is_killed(
        self, nursery: Nursery, tmp_path: Path, env: dict[str, str]
    ) -> None:
        child = nursery.bear("n", ["newborn", "wait"], log=tmp_path / "log", env=env)
        parent = psutil.Process(child.pid).parent()
        assert parent is not None

        parent.kill()

        assert child.wait(60) == -signal.SIGTERM
        with pytest.raises(Trouble, match="the nursery is gone"):
            nursery.bear("m", ["newborn", "0"], log=tmp_path / "log", env=env)

    def test_ends_when_the_house_is_killed(self, tmp_path: Path, env: dict[str, str]) -> None:
        house = textwrap.dedent(f"""
            import os, signal
            from pathlib import Path
            from hazina_local.nursery import Nursery
            nursery = Nursery()
            child = nursery.bear("n", ["newborn", "wait"],
                                 log=Path({str(tmp_path / "log")!r}), env={env!r})
            print(child.pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        """)
        said = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", house],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
        )
        pid = int(said.stdout)

        late = time.monotonic() + 60
        while psutil.pid_exists(pid) and time.monotonic() < late:
            time.sleep(0.05)

        assert not psutil.pid_exists(pid)
