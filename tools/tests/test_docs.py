"""What the documents point to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = ("services", "libs", "deploy", "tools", "docs", "tests-e2e", "contracts", "benchmarks")
PLACE = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
class TestDocuments:
    def test_name_files_that_exist(self, document: Path) -> None:
        for place in PLACE.findall(document.read_text()):
            assert (ROOT / place).exists(), place

    def test_link_to_files_that_exist(self, document: Path) -> None:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / link).exists(), link
