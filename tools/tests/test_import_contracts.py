"""Each import contract of pyproject.toml, shown to fail on a house that breaks it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SERVICES = ("identity", "billing", "ledger", "crypto", "streaming")
LIBS = (
    *("auth", "chassis", "embedded", "ids", "idempotency", "money", "outbox", "pg", "problems"),
    "standard",
)
CAPABILITY = ("routes", "consumers", "jobs", "actions", "store", "rules", "events")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A house of empty modules that keeps every contract."""
    for lib in LIBS:
        module = tmp_path / "hazina" / lib / "__init__.py"
        module.parent.mkdir(parents=True)
        module.touch()
    for service in SERVICES:
        for capability in ("gift", "account"):
            home = tmp_path / service / capability
            home.mkdir(parents=True)
            for file in ("__init__", *CAPABILITY):
                (home / f"{file}.py").touch()
        for file in ("__init__", "__main__", "app", "settings", "tables"):
            (tmp_path / service / f"{file}.py").touch()
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    (tmp_path / "tools").mkdir()
    shutil.copy(REPOSITORY / "tools" / "contracts.py", tmp_path / "tools")
    return tmp_path


def lint(house: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["lint-imports", "--no-cache"],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(house)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


class TestContracts:
    def test_are_kept_by_a_house_in_order(self, house: Path) -> None:
        code, said = lint(house)

        assert code == 0, said

    @pytest.mark.parametrize(
        ("file", "line", "contract"),
        [
            ("ledger/gift/actions.py", "import billing.gift.rules", "services stand on libs"),
            ("hazina/pg/__init__.py", "import ledger.gift.rules", "services stand on libs"),
            ("hazina/outbox/__init__.py", "import hazina.chassis", "services stand on libs"),
            ("ledger/gift/store.py", "import ledger.gift.actions", "flows one way"),
            ("ledger/gift/utils.py", "x = 1", "files and no others"),
            ("ledger/gift/rules.py", "import sqlalchemy", "Rules are pure"),
            ("ledger/gift/rules.py", "import random", "Rules are pure"),
            ("hazina/problems/__init__.py", "import fastapi", "Rules are pure"),
            ("ledger/account/actions.py", "import ledger.gift.store", "store belongs"),
            ("ledger/gift/actions.py", "import ledger.settings", "read settings"),
        ],
    )
    def test_catch_a_break(self, house: Path, file: str, line: str, contract: str) -> None:
        (house / file).write_text(line)

        code, said = lint(house)

        assert code == 1
        assert any(contract in row and "BROKEN" in row for row in said.splitlines()), said

    def test_catch_a_cycle(self, house: Path) -> None:
        (house / "ledger/gift/rules.py").write_text("import ledger.account.rules")
        (house / "ledger/account/actions.py").write_text("import ledger.gift.actions")

        code, said = lint(house)

        assert code == 1
        assert any("No cycles" in row and "BROKEN" in row for row in said.splitlines()), said
