"""The command: what is wrong is said in one sentence, never with a traceback."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hazina_local.folder import Folder, State
from hazina_local.part import restart_wait_s


def hazina(*words: str | Path, data: Path) -> subprocess.CompletedProcess[str]:
    """Run the command on a data folder."""
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "hazina_local", *words, "--data", data],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200"},
    )


class TestTrouble:
    @pytest.mark.parametrize("command", [["status"], ["env"], ["trace"], ["psql", "ledger"]])
    def test_is_said_when_nothing_runs(self, command: list[str], tmp_path: Path) -> None:
        done = hazina(*command, data=tmp_path / "house")

        assert done.returncode == 1
        assert done.stderr == (
            f"hazina: nothing runs in {tmp_path}/house; start it with `hazina up`\n"
        )

    def test_is_said_when_the_port_is_taken(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]

            done = hazina("up", "--port", str(port), data=tmp_path / "house")

        assert done.returncode == 1
        assert done.stderr == f"hazina: port {port} is taken; give another with --port\n"
        assert Folder(tmp_path / "house").holder() is None

    @pytest.mark.parametrize("more", [[], ["--detach"]])
    def test_is_said_when_the_folder_is_held(self, tmp_path: Path, more: list[str]) -> None:
        folder = Folder(tmp_path / "house")
        with folder.hold():
            done = hazina("up", *more, data=folder.path)

        assert done.returncode == 1
        assert done.stderr.startswith(f"hazina: {folder.path} is held by a running Hazina, pid ")
        assert "Traceback" not in done.stderr

    def test_is_said_when_the_folder_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")

        done = hazina("up", data=tmp_path / "file")

        assert done.returncode == 1
        assert "cannot be used" in done.stderr
        assert "Traceback" not in done.stderr

    def test_is_said_for_a_bar_that_is_not_there(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "hazina_local", "bench", "no_such_bar"],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[3],
        )

        assert done.returncode == 2
        assert done.stdout.startswith("There is no bar no_such_bar. There are: ")


class TestDown:
    def test_is_content_when_nothing_runs(self, tmp_path: Path) -> None:
        done = hazina("down", data=tmp_path / "house")

        assert (done.returncode, done.stdout) == (0, "nothing was running\n")


class TestStatus:
    def test_says_that_a_dead_service_does_not_answer(self, tmp_path: Path) -> None:
        folder = Folder(tmp_path / "house")
        part = {"pid": 1, "port": 1, "restarts": 0, "ready_after_s": 1.0, "detail": ""}
        names = ("identity", "billing", "ledger", "crypto", "streaming")
        with folder.hold():
            parts = {name: part | {"stand": "ready"} for name in names}
            folder.write_state(State(pid=1, ready=True, gateway="http://g", parts=parts))

            done = hazina("status", "--json", data=folder.path)

        said = json.loads(done.stdout)
        assert done.returncode == 1
        assert said["ready"] is False
        assert said["parts"]["ledger"]["detail"] == "it does not answer"


class TestRestart:
    def test_waits_longer_each_time_up_to_a_limit(self) -> None:
        waits = [restart_wait_s(in_a_row) for in_a_row in range(12)]

        assert waits[0] == 0
        assert waits == sorted(waits)
        assert waits[1] == 0.4
        assert waits[-1] == 30
