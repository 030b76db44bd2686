"""The folder of a house: held by one, readable by its owner, honest about trouble."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hazina.embedded import Trouble
from hazina_local import folder as folders
from hazina_local.folder import Folder, State

HOLD = """
import sys
from pathlib import Path
from hazina_local.folder import Folder
with Folder(Path(sys.argv[1])).hold():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder that nobody holds yet."""
    return Folder(tmp_path / "house")


class TestHold:
    def test_says_who_holds_it(self, folder: Folder) -> None:
        holder = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", HOLD, folder.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()

        with (
            pytest.raises(Trouble, match=f"is held by a running Hazina, pid {holder.pid}; see"),
            folder.hold(),
        ):
            pass

        assert folder.holder() == holder.pid
        holder.kill()
        holder.communicate()

    def test_is_free_again_after_its_holder(self, folder: Folder) -> None:
        with folder.hold():
            assert folder.holder() == os.getpid()

        assert folder.holder() is None
        with folder.hold():
            pass

    def test_says_that_the_disk_is_full(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(folders, "FREE_MB_MIN", 10**12)

        with (
            pytest.raises(Trouble, match=r"only \d+ MB are free in .*; Hazina needs"),
            folder.hold(),
        ):
            pass

    def test_says_that_it_cannot_be_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")

        with (
            pytest.raises(Trouble, match="cannot be used: Not a directory"),
            Folder(tmp_path / "file" / "house").hold(),
        ):
            pass


class TestSecrets:
    def test_are_made_once_and_nobody_else_reads_them(self, folder: Folder) -> None:
        with folder.hold():
            first, second = folder.secrets(), folder.secrets()

        assert first == second
        assert (folder.path / "secrets.json").stat().st_mode & 0o777 == 0o600

    def test_differ_from_house_to_house(self, folder: Folder, tmp_path: Path) -> None:
        other = Folder(tmp_path / "other")
        with folder.hold(), other.hold():
            mine, theirs = folder.secrets(), other.secrets()

        assert not set(mine.passwords.values()) & set(theirs.passwords.values())
        assert mine.stripe_webhook != theirs.stripe_webhook
        assert len(set(mine.passwords.values())) == len(mine.passwords)


class TestState:
    def test_is_what_was_last_written_while_the_house_runs(self, folder: Folder) -> None:
        with folder.hold():
            folder.write_state(State(pid=1, gateway="http://127.0.0.1:8080", ready=True))

            assert folder.state().gateway == "http://127.0.0.1:8080"

    def test_of_a_house_that_died_is_not_believed(self, folder: Folder) -> None:
        with folder.hold():
            folder.write_state(State(pid=1, ready=True))

        with pytest.raises(Trouble, match=r"nothing runs in .*; start it with `hazina up`"):
            folder.state()


class TestEphemeral:
    def test_is_gone_afterwards(self) -> None:
        with folders.ephemeral() as path:
            (path / "something").write_text("kept")

        assert not path.exists()
