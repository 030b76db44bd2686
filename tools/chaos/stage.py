"""Where chaos happens: durable PostgreSQL and NATS, one service that tells and one that hears."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psycopg

from hazina import outbox
from hazina.embedded import Nats, Postgres
from hazina.pg import SERVICE
from hazina.pg.roles import Passwords, ensure_service
from tools.chaos.checker import Fact, Verdict, judge

TELLER, HEARER = "ledger", "streaming"  # names that the broker's permissions know
KEYS = 200

TELLER_TABLES = """
create table noise (id bigint generated always as identity, at timestamptz default now());
create table aggregate (name text primary key, n bigint not null default 0);
create table truth (name text, n bigint, primary key (name, n));
insert into aggregate (name) select 'key-' || i from generate_series(1, {keys}) as i;
"""
HEARER_TABLES = """
create table applied (place bigint generated always as identity primary key, name text, n bigint);
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """The two servers, and how each service reaches them."""

    postgres: Postgres
    nats: Nats

    def database(self, service: str) -> str:
        """Give the URL by which a service's application connects."""
        return self.postgres.dsn(service, "app", "postgres")

    def verdict(self) -> Verdict:
        """Judge what was committed so far against what was applied."""
        with self._service(TELLER) as told, self._service(HEARER) as heard:
            committed = [Fact(*row) for row in told.execute("select name, n from truth")]
            applied = [
                Fact(*row) for row in heard.execute("select name, n from applied order by place")
            ]
        return judge(committed, applied)

    def progress(self) -> tuple[int, int]:
        """Count what was committed and what was applied."""
        with self._service(TELLER) as told, self._service(HEARER) as heard:
            rows = (
                told.execute("select count(*) from truth").fetchone(),
                heard.execute("select count(*) from applied").fetchone(),
            )
        return tuple(int(row[0]) if row else 0 for row in rows)  # type: ignore[return-value]

    def remembered(self) -> int:
        """Ask the broker for the number of its newest message."""
        with urlopen(f"{self.nats.monitor_url}/jsz?streams=true", timeout=5) as answer:  # noqa: S310  our own
            accounts = json.load(answer).get("account_details", [])
        streams = [stream for account in accounts for stream in account.get("stream_detail", [])]
        return sum(stream["state"]["last_seq"] for stream in streams)

    def quarantined(self) -> int:
        """Count the facts that the hearer set aside; chaos must never look like poison."""
        with self._service(HEARER) as heard:
            row = heard.execute("select count(*) from inbox_quarantine").fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def _service(self, name: str) -> Iterator[psycopg.Connection[tuple[str, int]]]:
        with psycopg.connect(self.database(name), autocommit=True) as connection:
            connection.execute("select set_config('app.role', %s, false)", (SERVICE.role,))
            yield connection


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Start both servers with every commit flushed to disk, make the tables, stop them after."""
    with Postgres(folder / "pg") as postgres, Nats(folder / "nats", [TELLER, HEARER]) as nats:
        with psycopg.connect(postgres.admin_dsn, autocommit=True) as admin:
            for service in (TELLER, HEARER):
                ensure_service(admin, service, Passwords(owner="owner", app="app"))
        for service, tables in (
            (TELLER, TELLER_TABLES.format(keys=KEYS)),
            (HEARER, HEARER_TABLES),
        ):
            dsn = postgres.dsn(f"{service}_owner", "owner", "postgres")
            with psycopg.connect(dsn, autocommit=True) as owner:
                owner.execute("select set_config('app.role', %s, false)", (SERVICE.role,))
                owner.execute(outbox.create_sql().encode())
                owner.execute(tables.encode())
        yield Stage(postgres, nats)
