"""The lock and the pyprojects must say the same."""

import pytest
from tools.lock import main, unmet

LOCK = """\
httpx==0.28.1 \\
    --hash=sha256:aa
psycopg==3.3.9 \\
    --hash=sha256:bb
psycopg-binary==3.3.9 ; implementation_name != 'pypy' \\
    --hash=sha256:cc
"""


def project(*dependencies: str, **more: object) -> dict[str, object]:
    return {"project": {"name": "thing", "dependencies": list(dependencies)}, **more}


class TestUnmet:
    @pytest.mark.parametrize(
        "wanted", ["httpx", "httpx>=0.28,<1", "psycopg[binary]", "Psycopg_Binary==3.3.9"]
    )
    def test_accepts_what_is_locked(self, wanted: str) -> None:
        assert unmet(LOCK, {"a": project(wanted)}) == []

    def test_accepts_what_is_ours(self) -> None:
        assert unmet(LOCK, {"a": project("thing")}) == []

    @pytest.mark.parametrize(
        ("wanted", "why"),
        [
            ("nats-py", "a: nats-py is not in requirements.lock; make lock"),
            ("httpx>=1", "a: httpx>=1, but 0.28.1 is locked; make lock"),
        ],
    )
    def test_names_what_is_not(self, wanted: str, why: str) -> None:
        assert unmet(LOCK, {"a": project(wanted)}) == [why]

    def test_reads_groups_too(self) -> None:
        grouped = project(**{"dependency-groups": {"dev": ["ruff"]}})

        assert unmet(LOCK, {"a": grouped}) == ["a: ruff is not in requirements.lock; make lock"]


class TestMain:
    def test_finds_this_repository_in_order(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main() == 0, capsys.readouterr().out
