"""The sample service as a process of its own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from hazina import ids
from hazina.embedded import Postgres
from hazina.standard import ServiceDatabase, Signer, databases

NOTES = "/sample/v1/notes"
PATIENCE_S = 40


class Process:
    """`python -m hazina.standard.sample …`, its log and its address."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self.log = folder / f"{ids.new()}.log"
        with self.log.open("w") as log:
            self.running = subprocess.Popen(  # noqa: S603  our own interpreter
                [sys.executable, "-m", "hazina.standard.sample", *arguments],
                env=os.environ
                | {f"SAMPLE_{name.upper()}": told for name, told in settings.items()},
                stdout=log,
                stderr=log,
            )

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{"]

    def said(self, event: str) -> dict[str, Any]:
        """Wait until it logs `event`."""
        found: dict[str, Any] = until(
            lambda: next((line for line in self.lines() if line["event"] == event), None)
        )
        return found

    @property
    def url(self) -> str:
        at = self.said("listening")
        return f"http://{at['host']}:{at['port']}"

    def stop(self) -> int:
        self.running.terminate()
        return self.running.wait(PATIENCE_S)


def until(look: Callable[[], Any]) -> Any:
    """Look again and again until there is something."""
    late = time.monotonic() + PATIENCE_S
    while time.monotonic() < late:
        with contextlib.suppress(httpx.HTTPError):
            if found := look():
                return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    """Every process that a test started, ended with it."""
    started: list[Process] = []
    yield started
    for process in started:
        if process.running.poll() is None:
            process.running.kill()
            process.running.wait()


@pytest.fixture
def start(tmp_path: Path, processes: list[Process], database: ServiceDatabase) -> Any:
    """Start the sample service on the test's database, or on another."""

    def started(*arguments: str, **settings: str) -> Process:
        urls = {"database_url": database.url, "nats_url": "nats://127.0.0.1:1", "drain_s": "5"}
        process = Process(tmp_path, *arguments, **(urls | settings))
        processes.append(process)
        return process

    return started


class TestServe:
    def test_takes_a_free_port_and_says_which(self, start: Any) -> None:
        process = start()

        assert until(lambda: httpx.get(f"{process.url}/readyz").status_code == 200)
        assert process.stop() == 0
        assert process.lines()[-1]["event"] == "stopped"

    def test_finishes_what_is_asked_before_it_stops(
        self, start: Any, database: ServiceDatabase
    ) -> None:
        """A request waits for a lock while SIGTERM comes; it is answered all the same."""
        process = start()
        url = process.url
        with psycopg.connect(database.admin_url) as admin:
            admin.execute("lock table sample.migration in access exclusive mode")
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as raw:
                raw.sendall(b"GET /readyz HTTP/1.1\r\nHost: sample\r\n\r\n")
                time.sleep(0.3)
                process.running.send_signal(signal.SIGTERM)
                process.said("stopping")
                admin.rollback()
                answer = raw.recv(4096)

        assert answer.startswith(b"HTTP/1.1 200")
        assert process.running.wait(PATIENCE_S) == 0

    def test_with_one_role_answers_for_its_health_alone(self, start: Any) -> None:
        process = start("--only", "work")

        assert until(lambda: httpx.get(f"{process.url}/readyz").status_code == 200)
        assert httpx.get(process.url + NOTES).status_code == 404
        assert httpx.get(f"{process.url}/livez").status_code == 200

    def test_waits_for_its_migrations(self, start: Any, postgres: str, worker: str) -> None:
        blank = databases.blank(postgres, "sample", f"sample_blank_{worker}")
        process = start(database_url=blank.url)
        unready = until(lambda: httpx.get(f"{process.url}/readyz"))

        migrating = start("migrate", owner_database_url=blank.owner_url)

        assert unready.status_code == 503
        assert "run migrate" in unready.text
        assert migrating.running.wait(PATIENCE_S) == 0
        assert until(lambda: httpx.get(f"{process.url}/readyz").status_code == 200)


class TestTrouble:
    def test_a_taken_port_is_said_in_a_sentence(self, start: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            process = start(port=str(taken.getsockname()[1]))

            assert process.running.wait(PATIENCE_S) == 69
        assert "cannot listen on 127.0.0.1" in process.log.read_text()
        assert "Traceback" not in process.log.read_text()

    def test_an_absent_database_is_said_in_a_sentence(self, start: Any) -> None:
        process = start(database_url="postgresql://a@127.0.0.1:1/b", database_wait_s="0.5")

        assert process.running.wait(PATIENCE_S) == 69
        assert "sample: PostgreSQL did not answer within 0.5 s" in process.log.read_text()
        assert "Traceback" not in process.log.read_text()

    def test_wrong_settings_are_named(self, start: Any) -> None:
        process = start(port="99999", notes_max="none")

        assert process.running.wait(PATIENCE_S) == 78
        assert "SAMPLE_PORT" in process.log.read_text()
        assert "SAMPLE_NOTES_MAX" in process.log.read_text()
        assert "Traceback" not in process.log.read_text()

    def test_a_database_that_goes_and_comes_is_503_and_passes(
        self, start: Any, tmp_path: Path
    ) -> None:
        with Postgres(tmp_path / "pg", durable=False) as server:
            blank = databases.blank(server.admin_dsn, "sample", "sample")
            assert (
                start(
                    "migrate", owner_database_url=blank.owner_url, database_url=blank.url
                ).running.wait(PATIENCE_S)
                == 0
            )
            process = start(database_url=blank.url)
            ready = f"{process.url}/readyz"
            until(lambda: httpx.get(ready).status_code == 200)

            server.kill()
            down = httpx.get(ready, timeout=PATIENCE_S)
            facts = httpx.get(f"{process.url}/internal/outbox/0", timeout=PATIENCE_S)
            server.start()

            assert down.status_code == 503
            assert facts.status_code == 503
            assert facts.headers["retry-after"] == "1"
            assert until(lambda: httpx.get(ready).status_code == 200)
            assert httpx.get(f"{process.url}/internal/outbox/0").json() == {"data": []}
            assert process.stop() == 0


class TestOtherCommands:
    def test_openapi_needs_no_environment(self) -> None:
        told = subprocess.run(
            [sys.executable, "-m", "hazina.standard.sample", "openapi"],
            check=True,
            capture_output=True,
            text=True,
        )

        assert "/sample/v1/notes" in json.loads(told.stdout)["paths"]

    def test_settings_are_listed_with_their_sentences(self) -> None:
        told = subprocess.run(
            [sys.executable, "-m", "hazina.standard.sample", "settings"],
            check=True,
            capture_output=True,
            text=True,
        )

        assert (
            "SAMPLE_NOTES_MAX  (default 100)\n    How many notes a person may have." in told.stdout
        )
        assert "SAMPLE_DATABASE_URL  (required)" in told.stdout

    def test_migrating_down_takes_everything_away(
        self, start: Any, postgres: str, worker: str
    ) -> None:
        blank = databases.blank(postgres, "sample", f"sample_down_{worker}")
        told = {"database_url": blank.url, "owner_database_url": blank.owner_url}

        codes = [
            start("migrate", *more, **told).running.wait(PATIENCE_S)
            for more in ((), ("--down", "base"))
        ]

        assert codes == [0, 0]
        with psycopg.connect(blank.admin_url) as admin:
            left = admin.execute("select count(*) from pg_tables where schemaname = 'sample'")
            assert left.fetchone() == (1,)  # the name of the revision


class TestTheWhole:
    def test_a_note_is_heard_of_once_though_the_broker_came_late(
        self, start: Any, database: ServiceDatabase, nats: str, key_server: str, bearer: Any
    ) -> None:
        user_id = ids.new()
        headers = bearer(user_id) | {"Idempotency-Key": "k1"}
        quiet = start(jwks_url=key_server)
        answers = [
            httpx.post(quiet.url + NOTES, json={"text": "tea"}, headers=headers) for _ in range(2)
        ]
        assert quiet.stop() == 0

        hearing = start("--only", "relay", "--only", "listen", nats_url=nats)
        count = "select written from sample.note_count where user_id = %s"
        with psycopg.connect(database.admin_url, autocommit=True) as admin:
            heard = until(lambda: admin.execute(count, (user_id,)).fetchone())

        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        assert heard == (1,)
        assert hearing.stop() == 0


@pytest.fixture
def key_server(signer: Signer) -> Iterator[str]:
    """Where the keys of this run's tokens are, as identity would serve them."""
    told = json.dumps(signer.key_set).encode()

    class Tell(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Tell) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/.well-known/jwks.json"
        server.shutdown()
        thread.join()
