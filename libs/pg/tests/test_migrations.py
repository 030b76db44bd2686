from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from hazina.pg import migrations

TREES = sorted((Path(__file__).parents[3] / "services").glob("*/migrations"))


class TestHead:
    @pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.parent.name)
    def test_is_what_alembic_would_upgrade_to(self, tree: Path) -> None:
        script = ScriptDirectory.from_config(migrations.config(tree))

        assert migrations.head(tree) == script.get_current_head()

    @pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.parent.name)
    def test_is_the_last_of_files_named_by_their_revision(self, tree: Path) -> None:
        script = ScriptDirectory.from_config(migrations.config(tree))

        for revision in script.walk_revisions():
            assert Path(revision.path).name.startswith(f"{revision.revision}_")

    def test_is_none_where_nothing_was_written_yet(self, tmp_path: Path) -> None:
        assert migrations.head(tmp_path) is None
