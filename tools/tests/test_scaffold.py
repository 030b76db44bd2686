import ast
from pathlib import Path

import pytest
from tools import scaffold


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one service and no capability."""
    (tmp_path / "services/ledger/src/ledger").mkdir(parents=True)
    return tmp_path


class TestStart:
    def test_writes_files_that_are_python_and_open_with_a_sentence(self, root: Path) -> None:
        made = scaffold.start(root, "ledger", "moneybox")

        assert {path.stem for path in made} >= {"routes", "actions", "store", "rules", "events"}
        assert all(ast.get_docstring(ast.parse(path.read_text())) for path in made)

    @pytest.mark.parametrize(
        ("service", "name", "says"),
        [
            ("lodger", "box", "There is no service 'lodger'."),
            ("ledger", "Box", "'Box' is not a lower-case Python name."),
        ],
    )
    def test_refuses_with_a_sentence(self, root: Path, service: str, name: str, says: str) -> None:
        with pytest.raises(SystemExit, match=says):
            scaffold.start(root, service, name)

    def test_never_writes_over_a_capability(self, root: Path) -> None:
        scaffold.start(root, "ledger", "box")

        with pytest.raises(SystemExit, match="has a capability 'box' already"):
            scaffold.start(root, "ledger", "box")
