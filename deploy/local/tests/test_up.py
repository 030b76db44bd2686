"""A whole house, started and ended by the command, and looked into while it runs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hazina.embedded import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SERVICES = ("identity", "billing", "ledger", "crypto", "streaming")
COMMAND = [sys.executable, "-m", "hazina_local"]

POISON = """
insert into inbox_quarantine
    (consumer, source, shard, seq, event_id, type, key, headers, payload, state, error)
select 'billing', 'identity', 0, seq, uuidv7(), 'identity.user.registered.v1', 'k', '{}', '{}',
       state, 'it makes no sense'
from (values (900, 'poison'), (901, 'parked')) as facts (seq, state)
"""


class Running:
    """A house in a folder of its own, asked by command."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def __call__(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(  # noqa: S603 - our own command
            [*COMMAND, *words, "--data", self.data],
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
            env=os.environ | {"COLUMNS": "200"},
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def part(self, name: str) -> dict[str, Any]:
        """One part, as the house's state shows it."""
        part: dict[str, Any] = json.loads((self.data / "state.json").read_text())["parts"][name]
        return part

    def wait_until(self, right: Callable[[], bool], within_s: float = 60) -> None:
        """Wait for something to become true."""
        late = time.monotonic() + within_s
        while not right():
            assert time.monotonic() < late, "it did not come true in time"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A house that runs beside these tests."""
    running = Running(tmp_path_factory.mktemp("house"))
    running("up", "--detach", "--port", str(free_port()))
    yield running
    running("down")


class TestUp:
    def test_starts_every_part(self, house: Running) -> None:
        said = json.loads(house("status", "--json"))

        assert said["ready"] is True
        assert set(SERVICES) < set(said["parts"])

    def test_says_who_holds_the_folder(self, house: Running) -> None:
        said = house("up", code=1)

        assert "is held by a running Hazina, pid " in said

    def test_keeps_its_secrets_to_its_owner(self, house: Running) -> None:
        secret = [house.data / name for name in ("secrets.json", "state.json", "env")]

        assert [file.stat().st_mode & 0o777 for file in secret] == [0o600] * 3

    @pytest.mark.parametrize("service", SERVICES)
    def test_starts_again_what_was_killed(self, house: Running, service: str) -> None:
        before = house.part(service)

        os.kill(before["pid"], signal.SIGKILL)

        house.wait_until(
            lambda: (
                house.part(service)["stand"] == "ready"
                and house.part(service)["pid"] != before["pid"]
            )
        )
        assert house.part(service)["restarts"] == before["restarts"] + 1

    @pytest.mark.parametrize("part", ["postgres", "nats", "gateway"])
    def test_starts_again_what_everybody_stands_on(self, house: Running, part: str) -> None:
        before = house.part(part)

        os.kill(before["pid"], signal.SIGKILL)

        house.wait_until(
            lambda: (
                house.part(part)["stand"] == "ready" and house.part(part)["pid"] != before["pid"]
            )
        )
        house.wait_until(lambda: json.loads(_any_code(house, "status", "--json"))["ready"])


class TestLooking:
    def test_restarts_one_service(self, house: Running) -> None:
        old = house.part("billing")["pid"]

        assert house("restart", "billing") == "billing is ready again\n"

        assert house.part("billing")["pid"] != old

    def test_shows_logs(self, house: Running) -> None:
        lines = house("logs", "ledger").splitlines()

        assert json.loads(lines[-1])["service"] == "ledger"

    def test_opens_a_prompt_as_a_service(self, house: Running) -> None:
        said = house("psql", "ledger", "-Atc", "select current_user, current_schema")

        assert said == "ledger|ledger\n"

    def test_prints_what_services_are_told(self, house: Running) -> None:
        said = house("env")

        assert "export LEDGER_DATABASE_URL='postgresql://ledger:" in said
        assert "export HAZINA_URL='http://127.0.0.1:" in said

    def test_shows_what_was_said_and_heard(self, house: Running) -> None:
        said = json.loads(house("outbox", "status", "--json"))

        assert {row["service"] for row in said} == set(SERVICES)
        assert all(row["halted"] is None for row in said)
        assert house("outbox", "verify") == "every stream is what its ledger says\n"
        assert house("inbox", "quarantine", "ls") == "quarantine is empty\n"
        assert isinstance(json.loads(house("inbox", "lag", "--json")), list)

    def test_sets_right_what_is_stuck(self, house: Running) -> None:
        house("psql", "billing", "-c", POISON)
        fact = ("--source", "identity", "--shard", "0")

        listed = json.loads(house("inbox", "quarantine", "ls", "billing", "--json", code=1))
        assert [(row["seq"], row["state"]) for row in listed] == [(900, "poison"), (901, "parked")]
        shown = json.loads(house("inbox", "quarantine", "show", "billing", *fact, "--seq", "900"))
        assert shown["error"] == "it makes no sense"
        refused = house("inbox", "unpark", "billing", *fact, "--key", "k", code=1)
        assert "quarantine.still_poisoned" in refused
        for seq in ("900", "901"):
            given_up = ("--seq", seq, "--reason", "made up by a test")
            house("inbox", "quarantine", "discard", "billing", *fact, *given_up)

        assert house("inbox", "quarantine", "ls", "billing") == "quarantine is empty\n"
        unknown = ("--seq", "902", "--reason", "it is not there")
        said = house("inbox", "quarantine", "discard", "billing", *fact, *unknown, code=1)
        assert said.startswith("hazina: quarantine.unknown: ")

    def test_refuses_unknown_names(self, house: Running) -> None:
        assert "there is no service treasury; there are identity" in house(
            "outbox", "windows", "treasury", code=1
        )
        assert "no trace of the last hour begins with ffffffff" in house(
            "trace", "ffffffff", code=1
        )


class TestDown:
    def test_leaves_nothing_behind(self, tmp_path: Path) -> None:
        running = Running(tmp_path / "short")
        running("up", "--detach", "--port", str(free_port()))
        state = json.loads((running.data / "state.json").read_text())
        pids = {part["pid"] for part in state["parts"].values() if part["pid"]} | {state["pid"]}

        assert running("down") == "stopped\n"

        assert not [pid for pid in pids if _lives(pid)]
        assert "nothing runs in" in running("status", code=1)
        running("up", "--detach", "--port", str(free_port()))
        assert running("down") == "stopped\n"


class TestDemo:
    def test_comes_true_and_draws_the_gift(self, house: Running) -> None:
        house.wait_until(lambda: json.loads(_any_code(house, "status", "--json"))["ready"])

        said = house("demo")

        assert "The whole story came true." in said
        drawn = said[said.index("\ntrace ") :]
        assert all(f"{wait} " in drawn for wait in ("outbox", "broker", "inbox"))
        assert "streaming" in drawn


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _any_code(house: Running, *words: str) -> str:
    return subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, *words, "--data", house.data],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    ).stdout
