"""`python -m ledger [serve|migrate|openapi|settings|check] [--only http|relay|listen|work]`."""

import sys

from hazina.chassis import main
from hazina.pg import Database
from ledger import check
from ledger.app import build
from ledger.settings import Settings

if sys.argv[1:2] == ["check"]:
    database = Database(Settings().database_url.get_secret_value())
    sys.exit(check.run(database, sys.argv[2:]))
main("ledger", Settings, build)
