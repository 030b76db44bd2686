import psycopg
import pytest
from psycopg import errors

from hazina.pg.roles import Passwords, ensure_service

from .conftest import House


@pytest.fixture
def thing(house: House) -> str:
    """A table of the ledger, made by its owner."""
    with psycopg.connect(house.owner, autocommit=True) as owner:
        owner.execute("create table if not exists thing (id int)")
    return "thing"


class TestEnsureService:
    def test_lets_the_application_read_and_write_rows(self, house: House, thing: str) -> None:
        with psycopg.connect(house.app) as app:
            app.execute("insert into thing values (1)")
            app.execute("select * from thing")

    @pytest.mark.parametrize(
        "statement",
        [
            "create table other (id int)",
            "alter table thing add column x int",
            "truncate thing",
            "select * from billing.anything",
            "create table public.other (id int)",
            "set role ledger_owner",
        ],
    )
    def test_lets_it_do_nothing_else(self, house: House, thing: str, statement: str) -> None:
        with psycopg.connect(house.app) as app, pytest.raises(errors.InsufficientPrivilege):
            app.execute(statement)

    def test_gives_nobody_a_way_round_row_security(self, house: House) -> None:
        with psycopg.connect(house.server.admin_dsn) as admin:
            found = admin.execute(
                "select count(*) from pg_roles where rolname ~ '^(ledger|billing)'"
                " and (rolbypassrls or rolsuper)"
            ).fetchone()
        assert found == (0,)

    def test_again_sets_the_new_password(self, house: House) -> None:
        with psycopg.connect(house.server.admin_dsn, autocommit=True) as admin:
            ensure_service(admin, "billing", Passwords(owner="new", app="new"))

        with psycopg.connect(house.server.dsn("billing", "new", "postgres")) as app:
            assert app.execute("show search_path").fetchone() == ("billing",)
