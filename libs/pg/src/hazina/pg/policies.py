"""Row-level security: the phrases that policies are made of."""

USER_ID = "nullif(current_setting('app.user_id', true), '')::uuid"
ORG_ID = "nullif(current_setting('app.org_id', true), '')::uuid"
IS_SERVICE = "current_setting('app.role', true) = 'service'"
IS_STAFF = "current_setting('app.role', true) in ('service', 'admin', 'super_admin')"


def protect(table: str, *, read: str, write: str | None = None) -> str:
    """Give the SQL that forces row-level security on `table`.

    `read` and `write` are SQL conditions on a row; without `write` only the service itself writes.
    Forced: the owner of the table is bound by it too, so a migration sets `app.role`.
    """
    write = IS_SERVICE if write is None else f"({write}) or {IS_SERVICE}"
    return f"""
        alter table {table} enable row level security;
        alter table {table} force row level security;
        create policy reading on {table} for select using (({read}) or {IS_SERVICE});
        create policy adding on {table} for insert with check ({write});
        create policy changing on {table} for update using ({write}) with check ({write});
        create policy removing on {table} for delete using ({write});
    """


def protect_open(table: str) -> str:
    """Give the SQL for a table that everybody may read and only staff and the service write."""
    return protect(table, read="true", write=IS_STAFF)
