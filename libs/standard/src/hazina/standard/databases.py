"""Databases for tests: migrated once per service, copied per worker, emptied between tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from hazina.pg import migrations, roles

PASSWORD = "test"  # noqa: S105  of roles in a server that lives as long as the tests
TEMPLATE_LOCK = 7_306_080  # held in the database `postgres` while a template is made

# What migrations put into tables is kept aside, so that emptying can put it back.
KEEP_SEEDS = """
do $$ declare t record; begin
  create schema seed;
  for t in select relname, oid::regclass as name from pg_class
           where relnamespace = {schema}::regnamespace and relkind = 'r' and relname <> 'migration'
  loop
    execute format('create table seed.%I as table %s', t.relname, t.name);
    declare filled boolean; begin
      execute format('select exists (select from seed.%I)', t.relname) into filled;
      if not filled then execute format('drop table seed.%I', t.relname); end if;
    end;
  end loop;
end $$
"""
# As superuser and replica: row security, foreign keys and append-only triggers do not apply.
EMPTY = """
do $$ declare t record; cols text; begin
  set local session_replication_role = replica;
  for t in select oid, relname, oid::regclass as name, to_regclass('seed.' || quote_ident(relname))
                  as seed from pg_class
           where relnamespace = {schema}::regnamespace and relkind = 'r' and relname <> 'migration'
  loop
    execute format('delete from %s', t.name);
    if t.seed is not null then
      select string_agg(quote_ident(attname), ', ') into cols from pg_attribute
        where attrelid = t.oid and attnum > 0 and not attisdropped and attgenerated = '';
      execute format('insert into %s (%s) overriding system value select %s from %s',
                     t.name, cols, cols, t.seed);
    end if;
  end loop;
end $$
"""


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """A service's own database, of one test worker."""

    service: str
    url: str  # as the role that reads and writes rows
    owner_url: str  # as the owner of the schema
    admin_url: str  # as the superuser, whom no row security binds

    def empty(self) -> None:
        """Take the tables back to what migrations put into them."""
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL(EMPTY).format(schema=sql.Literal(self.service)))


def prepare(admin_dsn: str, service: str, tree: Path, worker: str) -> ServiceDatabase:
    """Give `worker` a fresh copy of the service's migrated database."""
    with locked(admin_dsn) as admin:
        template = f"template_{service}"
        if not _exists(admin, template):
            _make_template(admin, admin_dsn, service, tree, template)
        name = f"{service}_{worker}"
        admin.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))
        admin.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    return describe(admin_dsn, service, name)


def blank(admin_dsn: str, service: str, name: str) -> ServiceDatabase:
    """Give a database with the service's roles and schema, and nothing in it."""
    with locked(admin_dsn) as admin:
        admin.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))
        admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        found = describe(admin_dsn, service, name)
        with psycopg.connect(found.admin_url, autocommit=True) as inside:
            roles.ensure_service(inside, service, roles.Passwords(PASSWORD, PASSWORD))
    return found


def describe(admin_dsn: str, service: str, name: str) -> ServiceDatabase:
    """Name the ways into database `name`."""
    at = conninfo_to_dict(admin_dsn)
    where = f"{at['host']}:{at['port']}/{name}"
    return ServiceDatabase(
        service,
        url=f"postgresql://{service}:{PASSWORD}@{where}",
        owner_url=f"postgresql://{service}_owner:{PASSWORD}@{where}",
        admin_url=f"postgresql://{at['user']}:{at['password']}@{where}",
    )


@contextmanager
def locked(admin_dsn: str) -> "Iterator[psycopg.Connection[tuple[object, ...]]]":
    """Connect as superuser, alone: workers make databases and roles one after the other."""
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute("select pg_advisory_lock(%s)", (TEMPLATE_LOCK,))
        yield admin


def _exists(admin: "psycopg.Connection[tuple[object, ...]]", name: str) -> bool:
    found = admin.execute("select from pg_database where datname = %s", (name,)).fetchone()
    return found is not None


def _make_template(
    admin: "psycopg.Connection[tuple[object, ...]]",
    admin_dsn: str,
    service: str,
    tree: Path,
    template: str,
) -> None:
    # Made under another name first: a migration that fails must not leave half a template.
    making = f"making_{service}"
    admin.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(making)))
    admin.execute(sql.SQL("create database {}").format(sql.Identifier(making)))
    found = describe(admin_dsn, service, making)
    with psycopg.connect(found.admin_url, autocommit=True) as inside:
        roles.ensure_service(inside, service, roles.Passwords(PASSWORD, PASSWORD))
        migrations.upgrade(tree, found.owner_url)
        inside.execute(sql.SQL(KEEP_SEEDS).format(schema=sql.Literal(service)))
    admin.execute(
        sql.SQL("alter database {} rename to {}").format(
            sql.Identifier(making), sql.Identifier(template)
        )
    )
