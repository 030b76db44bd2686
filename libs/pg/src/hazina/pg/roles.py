"""Who may connect: two roles a service, one that owns its schema and one that only uses it."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

GRANTS = """
create schema if not exists {schema} authorization {owner};
grant usage on schema {schema} to {app};
revoke all on schema public from public;
revoke temporary on database {database} from public;
grant connect, temporary on database {database} to {app}, {owner};
alter default privileges for role {owner} in schema {schema}
    grant select, insert, update, delete on tables to {app};
alter default privileges for role {owner} in schema {schema} grant usage on sequences to {app};
alter default privileges for role {owner} revoke execute on functions from public;
alter default privileges for role {owner} in schema {schema} grant execute on functions to {app};
"""

SERVICES = ("identity", "billing", "ledger", "crypto", "streaming")


@dataclass(frozen=True, slots=True)
class Passwords:
    """The passwords of a service's two roles."""

    owner: str
    app: str


def ensure_service(admin: "psycopg.Connection[object]", service: str, passwords: Passwords) -> None:
    """Make a service's schema and its two roles, or set the passwords of roles that are there.

    `<service>_owner` owns the schema and runs migrations; `<service>` may read and write rows,
    cannot touch another schema and has no BYPASSRLS. Both find their tables without a prefix.
    """
    schema = sql.Identifier(service)
    owner, app = sql.Identifier(f"{service}_owner"), sql.Identifier(service)
    for name, password in ((f"{service}_owner", passwords.owner), (service, passwords.app)):
        role = sql.Identifier(name)
        known = admin.execute("select from pg_roles where rolname = %s", (name,)).fetchone()
        verb = sql.SQL("alter" if known is not None else "create")
        admin.execute(
            sql.SQL("{} role {} login nobypassrls password {}").format(
                verb, role, sql.Literal(password)
            )
        )
        admin.execute(sql.SQL("alter role {} set search_path = {}").format(role, schema))
    names = {
        "schema": schema,
        "owner": owner,
        "app": app,
        "database": sql.Identifier(admin.info.dbname),
    }
    admin.execute(sql.SQL(GRANTS).format(**names))
