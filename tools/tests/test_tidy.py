from pathlib import Path

import pytest
from tools import tidy

SOURCE = Path("libs/x/src/hazina/x/thing.py")


class TestUntidyModule:
    @pytest.mark.parametrize(
        ("path", "text", "says"),
        [
            (SOURCE.with_name("utils.py"), '"""X."""', "'utils' says nothing"),
            (Path("services/x/src/x/box/service.py"), '"""X."""', "'service' says nothing"),
            (SOURCE, "x = 1", "no first sentence"),
            (SOURCE, f'"""{"x" * 101}"""', "longer than 100 columns"),
            (SOURCE, '"""X."""\ntx.commit()', "belongs to hazina.pg"),
            (SOURCE, '"""X."""\nawait tx.rollback()', "belongs to hazina.pg"),
        ],
    )
    def test_finds_each_fault(self, path: Path, text: str, says: str) -> None:
        assert says in "\n".join(tidy.untidy_module(path, text))

    @pytest.mark.parametrize("text", ['"""X."""\nx = 1', ""])
    def test_leaves_the_tidy_alone(self, text: str) -> None:
        assert list(tidy.untidy_module(SOURCE, text)) == []


class TestUntidyText:
    @pytest.mark.parametrize(
        "text", ["see https://pypi" + ".org/x", "cd /" + "work/main", "registry.npm" + "js.org"]
    )
    def test_finds_hosts_and_machine_paths(self, text: str) -> None:
        assert len(list(tidy.untidy_text(Path("a"), f"fine\n{text}"))) == 1


class TestUnlisted:
    def test_finds_a_package_that_no_contract_guards(self, tmp_path: Path) -> None:
        (tmp_path / "pyproject.toml").write_text(
            '[tool.importlinter]\nroot_packages = ["ledger", "hazina.pg"]'
        )
        for folder in ("libs/pg", "libs/new", "services/ledger", "services/other"):
            (tmp_path / folder).mkdir(parents=True)
            (tmp_path / folder / "pyproject.toml").touch()

        found = list(tidy.unlisted(tmp_path))

        assert [line.split(":")[0] for line in found] == ["libs/new", "services/other"]
