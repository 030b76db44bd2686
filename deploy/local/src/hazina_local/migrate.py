"""`python -m hazina_local.migrate`: one process that readies the database for all services.

One process, because loading Alembic and SQLAlchemy costs more than a service's migrations do.
"""

import os
import sys
import time
from importlib import import_module
from pathlib import Path

import psycopg
from psycopg import sql

from hazina.embedded import Trouble
from hazina.pg import migrations
from hazina.pg.roles import Passwords, ensure_service
from hazina_local.folder import Folder
from hazina_local.names import DATABASE, SERVICES, TRACES

WAIT_S = 60


def make_database(admin_dsn: str) -> None:
    """Make the house's database where it is missing."""
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        known = admin.execute("select from pg_database where datname = %s", (DATABASE,)).fetchone()
        if known is None:
            admin.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))


def make_roles(house_dsn: str, passwords: dict[str, str]) -> None:
    """Make each service's two roles and its schema, and the place where traces are kept."""
    with psycopg.connect(house_dsn) as admin:
        for service in SERVICES:
            own = Passwords(owner=passwords[f"{service}_owner"], app=passwords[service])
            ensure_service(admin, service, own)
        known = admin.execute("select from pg_roles where rolname = %s", (TRACES,)).fetchone()
        verb = sql.SQL("create" if known is None else "alter")
        role = sql.Identifier(TRACES)
        secret = sql.Literal(passwords[TRACES])
        admin.execute(sql.SQL("{} role {} login password {}").format(verb, role, secret))
        admin.execute(sql.SQL("alter role {} set search_path = {}").format(role, role))
        admin.execute(sql.SQL("create schema if not exists {0} authorization {0}").format(role))


def tree(service: str) -> Path:
    """Where a service's migrations are: beside its source."""
    package = import_module(service).__file__
    assert package is not None
    found = Path(package).parents[2] / "migrations"
    if not (found / "env.py").exists():
        raise Trouble(f"{service} has no migrations in {found}")
    return found


def main(folder: Folder, admin_dsn: str) -> None:
    """Ready everything, from an empty server to the newest schema of every service."""
    passwords = folder.secrets().passwords
    house = admin_dsn.rpartition("/")[0]
    make_database(admin_dsn)
    make_roles(f"{house}/{DATABASE}", passwords)
    address = house.rpartition("@")[2]
    for service in SERVICES:
        owner = f"{service}_owner"
        url = f"postgresql://{owner}:{passwords[owner]}@{address}/{DATABASE}"
        migrations.upgrade(tree(service), url)
        sys.stdout.write(f"{service} migrated\n")
        sys.stdout.flush()


def wait_for(dsn: str) -> None:
    """Wait until the server answers: this process starts beside it, to load in the meantime."""
    late = time.monotonic() + WAIT_S
    while True:
        try:
            psycopg.connect(dsn).close()
        except psycopg.OperationalError:
            if time.monotonic() > late:
                raise
            time.sleep(0.02)
        else:
            return


if __name__ == "__main__":
    # The password comes by the environment: a command line is there for everybody to read.
    wait_for(os.environ["HAZINA_ADMIN_DSN"])
    main(Folder(Path(sys.argv[1])), os.environ["HAZINA_ADMIN_DSN"])
