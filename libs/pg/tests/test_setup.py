"""What an empty server is given before the services' first migrations."""

from collections.abc import Iterator

import psycopg
import pytest

from hazina.embedded import Postgres
from hazina.pg.roles import SERVICES
from hazina.pg.setup import main

EXIT_CONFIG = 78


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server that nobody has set up."""
    with Postgres(tmp_path_factory.mktemp("setup"), durable=False) as started:
        yield started


def told(server: Postgres) -> dict[str, str]:
    passwords = {
        f"{service.upper()}{kind}_PASSWORD": f"{service}-secret"
        for service in SERVICES
        for kind in ("", "_OWNER")
    }
    return {"ADMIN_DATABASE_URL": server.admin_dsn, **passwords}


class TestMain:
    def test_lets_every_service_in_with_its_own_password(self, server: Postgres) -> None:
        assert main(told(server)) == 0

        for service in SERVICES:
            dsn = server.dsn(service, f"{service}-secret", "postgres")
            with psycopg.connect(dsn) as app:
                assert app.execute("show search_path").fetchone() == (service,)

    def test_can_be_repeated(self, server: Postgres) -> None:
        assert [main(told(server)) for _ in range(2)] == [0, 0]

    def test_names_what_it_was_not_told(
        self, server: Postgres, capsys: pytest.CaptureFixture[str]
    ) -> None:
        partly = told(server) | {"LEDGER_PASSWORD": ""}
        del partly["CRYPTO_OWNER_PASSWORD"]

        assert main(partly) == EXIT_CONFIG

        said = capsys.readouterr().err
        assert said == "not set: LEDGER_PASSWORD, CRYPTO_OWNER_PASSWORD\n"
