"""PostgreSQL from the wheel, started, cut off and refused."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import psutil
import psycopg
import pytest

from hazina.embedded import Postgres, Trouble, pg_bin_dir, postgres
from hazina.embedded.guise import Guise, guise
from hazina.embedded.ports import free_port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    """A running server that flushes nothing to disk."""
    with Postgres(tmp_path / "pg", durable=False) as running:
        yield running


class TestPostgres:
    def test_answers_in_utf8_without_icu_and_makes_its_own_ids(self, server: Postgres) -> None:
        with psycopg.connect(server.admin_dsn) as connection:
            row = connection.execute(
                """select pg_encoding_to_char(encoding), datlocprovider, datlocale,
                          upper('ä'), uuid_extract_version(uuidv7())
                   from pg_database where datname = 'postgres'"""
            ).fetchone()

        assert row == ("UTF8", "b", "C.UTF-8", "Ä", 7)

    def test_refuses_a_login_without_the_password(self, server: Postgres) -> None:
        wrong = server.dsn("postgres", "wrong", "postgres")

        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)

    def test_keeps_its_password_to_itself(self, server: Postgres) -> None:
        assert (server.data / "admin_password").stat().st_mode & 0o777 == 0o600
        assert len(server.password) == 33

    def test_has_one_password_whoever_asks_first(self, tmp_path: Path) -> None:
        server = Postgres(tmp_path / "pg")

        with ThreadPoolExecutor(16) as asking:
            heard = {
                future.result()
                for future in [asking.submit(lambda: server.password) for _ in range(200)]
            }

        assert len(heard) == 1

    def test_keeps_what_was_committed_when_it_is_killed(self, tmp_path: Path) -> None:
        with Postgres(tmp_path / "pg") as server:
            with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
                connection.execute("create table kept as select 7 as seven")
                tree = psutil.Process(server.pid).children()

                server.kill()

            assert tree
            assert not any(process.is_running() for process in tree)
            server.start()
            with psycopg.connect(server.admin_dsn) as connection:
                assert connection.execute("select seven from kept").fetchone() == (7,)

    def test_flushes_a_new_folder_while_it_runs(self, tmp_path: Path) -> None:
        server = Postgres(tmp_path / "pg")
        server.start()
        assert (server.data / "unflushed").exists()
        assert server._flushing is not None

        assert server._flushing.wait(60) == 0
        server.stop()

        assert not (server.data / "unflushed").exists()

    def test_flushes_again_what_was_cut_off(self, tmp_path: Path) -> None:
        server = Postgres(tmp_path / "pg")
        server.start()
        server.kill()
        (server.data / "unflushed").touch()

        server.start()

        assert server._flushing is not None
        assert server._flushing.wait(60) == 0
        server.stop()
        assert not (server.data / "unflushed").exists()

    def test_flushes_nothing_that_may_be_lost(self, server: Postgres) -> None:
        server.stop()

        assert "syncing data" not in (server.data / "initdb.log").read_text()

    def test_takes_settings(self, tmp_path: Path) -> None:
        server = Postgres(tmp_path / "pg", settings={"work_mem": "5MB"}, durable=False)

        with server, psycopg.connect(server.admin_dsn) as connection:
            assert connection.execute("show work_mem").fetchone() == ("5MB",)
            assert connection.execute("show fsync").fetchone() == ("off",)

    def test_dies_with_its_parent(self, tmp_path: Path) -> None:
        if sys.platform != "linux":
            pytest.skip("only Linux ends a child with its parent")
        program = textwrap.dedent(f"""
            import os, signal
            from pathlib import Path
            from hazina.embedded import Postgres
            server = Postgres(Path({str(tmp_path / "pg")!r}), durable=False)
            server.start()
            print(server.pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        """)
        said = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        postmaster = int(said.stdout)

        late = time.monotonic() + 10
        while psutil.pid_exists(postmaster) and time.monotonic() < late:
            time.sleep(0.02)

        assert not psutil.pid_exists(postmaster)

    def test_outlives_the_thread_that_started_it(self, tmp_path: Path) -> None:
        server = Postgres(tmp_path / "pg", durable=False)
        thread = Thread(target=server.start)
        thread.start()
        thread.join()

        with psycopg.connect(server.admin_dsn) as connection:
            assert connection.execute("select pg_sleep(0.3), 1").fetchone() == ("", 1)
        server.stop()


class TestRefusals:
    def test_says_who_holds_the_folder(self, server: Postgres) -> None:
        second = Postgres(server.data)

        with pytest.raises(Trouble, match=f"held by a running PostgreSQL, pid {server.pid}"):
            second.start()

    def test_says_which_port_is_taken(self, server: Postgres, tmp_path: Path) -> None:
        second = Postgres(tmp_path / "second", port=server.port, durable=False)

        with pytest.raises(Trouble, match=f"port {server.port} is taken"):
            second.start()

    def test_says_that_the_disk_is_full(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "FREE_MB_MIN", 10**12)

        with pytest.raises(Trouble, match=r"only \d+ MB are free in .*; PostgreSQL needs"):
            Postgres(tmp_path / "pg").start()

    def test_says_that_its_programs_are_missing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HAZINA_PG_BIN_DIR", str(tmp_path))

        with pytest.raises(Trouble, match="there is no `postgres` in"):
            pg_bin_dir()

    def test_says_what_the_server_said(self, tmp_path: Path) -> None:
        unfit = Postgres(tmp_path / "pg", settings={"max_connections": "many"}, durable=False)

        with pytest.raises(Trouble, match=r'did not start: .*"max_connections"'):
            unfit.start()

    def test_says_that_the_user_has_no_passwd_entry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        guise.cache_clear()
        monkeypatch.setattr(os, "geteuid", lambda: 4_242_424)

        with pytest.raises(Trouble, match="user id 4242424 has no entry in /etc/passwd"):
            guise()
        guise.cache_clear()


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Root, where the kernel refuses user namespaces."""
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    monkeypatch.setenv("HAZINA_PG_GUISE", Guise.SWITCH.value)
    guise.cache_clear()
    yield
    guise.cache_clear()


@pytest.mark.usefixtures("as_root")
class TestRoot:
    def test_may_become_nobody_where_namespaces_are_refused(self) -> None:
        with tempfile.TemporaryDirectory() as closed:
            home = Path(closed)
            home.chmod(0o755)
            with Postgres(home / "pg", durable=False) as server:
                owner = psutil.Process(server.pid).uids().real
                with psycopg.connect(server.admin_dsn) as connection:
                    assert connection.execute("select 1").fetchone() == (1,)

        assert owner == 65534

    def test_copies_programs_that_nobody_cannot_reach(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        package = pg_bin_dir().parent.parent
        with tempfile.TemporaryDirectory() as closed, tempfile.TemporaryDirectory() as opened:
            hidden = Path(closed) / package.name
            shutil.copytree(package / "pginstall", hidden / "pginstall", symlinks=True)
            libs = package.with_name(f"{package.name}.libs")
            shutil.copytree(libs, Path(closed) / libs.name)
            monkeypatch.setenv("HAZINA_PG_BIN_DIR", str(hidden / "pginstall" / "bin"))
            Path(opened).chmod(0o755)
            with Postgres(Path(opened) / "pg", durable=False) as server:
                program = psutil.Process(server.pid).exe()

        assert program.startswith(str(Path(opened).resolve()))

    def test_says_that_nobody_cannot_reach_the_data(self, tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)

        with pytest.raises(Trouble, match="user `nobody` cannot reach"):
            Postgres(closed / "pg").start()


class TestFreePort:
    def test_is_never_given_twice(self) -> None:
        given = [free_port() for _ in range(50)]

        assert len(set(given)) == 50

    def test_is_not_given_to_another_process_either(self) -> None:
        program = "from hazina.embedded import free_port; print(*[free_port() for _ in range(400)])"
        mine = {free_port() for _ in range(400)}

        said = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )

        assert mine.isdisjoint(int(port) for port in said.stdout.split())
