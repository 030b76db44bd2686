"""The promises that every service keeps, as tests that it inherits."""

import os
import subprocess
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.rows import namedtuple_row

from hazina.chassis import Service, asgi
from hazina.pg import migrations
from hazina.standard import agreement, databases
from hazina.standard.clock import MovableClock
from hazina.standard.databases import ServiceDatabase
from hazina.standard.live import live
from hazina.standard.tokens import Mint, Signer
from hazina.standard.under_test import UnderTest

NOT_OURS = {"migration": "It names the schema's revision and holds nothing of anybody."}
TABLES = """
select c.relname as name, c.relrowsecurity and c.relforcerowsecurity as forced, c.relispartition,
       exists (select from pg_policy where polrelid = c.oid) as has_policy,
       obj_description(c.oid, 'pg_class') as comment
from pg_class c
where c.relnamespace = %s::regnamespace and c.relkind in ('r', 'p') order by c.relname
"""
FUZZ_TIMEOUT_S = 100
REQUEST_TIMEOUT_S = 30  # longer than any address of ours lets a caller wait
FUZZ_SEED = 20261121
# Every refusal that a rule may have for a request of the right shape; that the shape itself is
# accepted is checked by hazina.standard.fuzz. Text with NUL is refused everywhere, on purpose.
FUZZ_SETTINGS = """
[generation]
allow-x00 = false
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 400, 401, 403, 404, 409, 410, 412, 422, 429, "5xx"]
"""


@pytest.mark.anyio
class Standard:
    """Inherit this once: `class TestStandard(Standard): open_tables = {"plan": "why"}`."""

    open_tables: ClassVar[Mapping[str, str]] = {}  # tables without row security, each with a reason
    fuzz_examples: ClassVar[int] = 80  # shared by all operations, so that a service takes 20 s
    fuzz_more: ClassVar[tuple[str, ...]] = ()  # more of schemathesis' arguments, each with a reason

    async def test_is_alive_and_ready(self, http: httpx.AsyncClient) -> None:
        answers = [await http.get(path) for path in ("/livez", "/readyz")]

        assert [(answer.status_code, answer.text) for answer in answers] == [
            (200, "alive\n"),
            (200, "ready\n"),
        ]

    async def test_is_unready_while_it_stops(self, http: httpx.AsyncClient, app: Any) -> None:
        app.state.draining = True

        assert (await http.get("/readyz")).status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert (await http.get("/livez")).status_code == HTTPStatus.OK

    async def test_is_unready_before_its_migrations(
        self, http: httpx.AsyncClient, database: ServiceDatabase, service: Service
    ) -> None:
        head = migrations.head(service.migrations)
        with psycopg.connect(database.admin_url, autocommit=True) as admin:
            self._pretend(admin, service.name, "older")
            answer = await http.get("/readyz")
            self._pretend(admin, service.name, head)

        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert "older" in answer.text

    async def test_tells_its_numbers(self, http: httpx.AsyncClient) -> None:
        assert "hazina_http_request_seconds" in (await http.get("/metrics")).text

    async def test_answers_nothing_at_an_unknown_address(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/nothing/here")

        assert answer.status_code == HTTPStatus.NOT_FOUND
        assert answer.headers["content-type"] == "application/problem+json"

    async def test_publishes_the_api_that_was_promised(
        self, http: httpx.AsyncClient, service: Service, pytestconfig: pytest.Config
    ) -> None:
        promised = agreement.read(self._contracts(pytestconfig) / "http" / f"{service.name}.json")

        published = (await http.get("/openapi.json")).json()

        assert published == promised, "run `make contracts` and have the change reviewed"
        assert (await http.get(f"/{service.name}/v1/openapi.json")).json() == published

    def test_withstands_every_request(
        self,
        *,
        under_test: UnderTest,
        settings: Any,
        clock: MovableClock,
        signer: Signer,
        token: Mint,
        tmp_path: Path,
    ) -> None:
        paths = asgi(under_test.described()).openapi()["paths"]
        examples = self.fuzz_examples // sum(len(path) for path in paths.values())
        (tmp_path / "schemathesis.toml").write_text(FUZZ_SETTINGS)
        with live(under_test, settings, clock, signer) as url:
            command = [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
                *("--header", f"Authorization: Bearer {token()}"),
                *("--checks", "all", "--max-examples", str(sorted((2, examples, 8))[1])),
                *("--request-timeout", str(REQUEST_TIMEOUT_S)),
                *("--seed", str(FUZZ_SEED), "--workers", "1", "--no-color"),
                *self.fuzz_more,
            ]
            told = subprocess.run(  # noqa: S603  our own interpreter
                command,
                check=False,
                capture_output=True,
                text=True,
                cwd=tmp_path,
                env=os.environ | {"SCHEMATHESIS_HOOKS": "hazina.standard.fuzz"},
                timeout=FUZZ_TIMEOUT_S,
            )

        assert told.returncode == 0, told.stdout + told.stderr

    def test_tells_what_was_promised(
        self, under_test: UnderTest, pytestconfig: pytest.Config
    ) -> None:
        service = under_test.described()
        folder = self._contracts(pytestconfig) / "events"
        told = {agreement.event_name(event): event for event in agreement.events_of(service.name)}
        promised = {path.stem for path in folder.glob(f"{service.name}.*.json")}

        assert told.keys() == promised, f"events and {folder} name different facts"
        assert not [
            difference
            for name, event in told.items()
            for difference in agreement.produced_differences(
                event, agreement.read(folder / f"{name}.json")
            )
        ]

    def test_hears_only_what_others_promise(
        self, under_test: UnderTest, pytestconfig: pytest.Config
    ) -> None:
        service = under_test.described()
        folder = self._contracts(pytestconfig) / "events"
        heard = {event for source in service.sources for event in source.handlers}
        contracts = {event: agreement.read(folder / f"{event.__type__}.json") for event in heard}

        assert not [event.__type__ for event, contract in contracts.items() if contract is None]
        assert not [
            difference
            for event, contract in contracts.items()
            for difference in agreement.consumed_differences(event, contract)
        ]

    def test_migrates_up_down_and_up_to_its_tables(
        self, postgres: str, worker: str, under_test: UnderTest
    ) -> None:
        service = under_test.described()
        fresh = databases.blank(postgres, service.name, f"{service.name}_migrating_{worker}")

        migrations.upgrade(service.migrations, fresh.owner_url)
        first = _tables(fresh)
        migrations.downgrade(service.migrations, fresh.owner_url)
        nothing = _tables(fresh)
        migrations.upgrade(service.migrations, fresh.owner_url)

        assert set(nothing) <= set(NOT_OURS)
        assert set(_tables(fresh)) == set(first)
        assert not migrations.differences(
            fresh.owner_url, service.metadata, ours=service.metadata.tables.__contains__
        )

    def test_forces_row_security_on_every_table(self, database: ServiceDatabase) -> None:
        reasons = {**NOT_OURS, **self.open_tables}
        unguarded = {
            name
            for name, table in _tables(database).items()
            # A partition without a policy is closed: its rows are reached through its parent.
            if not (table.forced and (table.has_policy or table.relispartition))
        }

        assert unguarded == reasons.keys(), "each needs a policy, or a reason in `open_tables`"
        assert all(reasons.values())

    def test_describes_every_table(self, database: ServiceDatabase) -> None:
        assert not [
            name
            for name, table in _tables(database).items()
            if not table.comment and not table.relispartition and name not in NOT_OURS
        ]

    def test_lets_its_role_do_no_more_than_it_must(self, database: ServiceDatabase) -> None:
        with psycopg.connect(database.url) as app:
            found = app.execute(
                """select rolsuper or rolbypassrls or rolcreaterole or rolcreatedb,
                          has_schema_privilege(current_user, current_schema(), 'create')
                   from pg_roles where rolname = current_user"""
            ).fetchone()

        assert found == (False, False)

    def _pretend(self, admin: Any, service: str, revision: str | None) -> None:
        """Have the schema say that it is at `revision`."""
        change = sql.SQL("update {}.migration set version_num = %s")
        admin.execute(change.format(sql.Identifier(service)), (revision,))

    def _contracts(self, pytestconfig: pytest.Config) -> Path:
        return pytestconfig.rootpath / "contracts"


def _tables(database: ServiceDatabase) -> dict[str, Any]:
    """List what is in the service's schema."""
    with psycopg.connect(database.admin_url, row_factory=namedtuple_row) as admin:
        rows = admin.execute(TABLES, (database.service,)).fetchall()
    named: list[Any] = list(rows)
    return {row.name: row for row in named}
