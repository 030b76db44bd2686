"""Schema changes: one Alembic tree a service, under timeouts, as the schema's owner.

Alembic is imported where it is used: it is slow to import, and a process that serves only asks
which revision is the newest.
"""
# ruff: noqa: PLC0415

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import MetaData, create_engine, make_url, text

if TYPE_CHECKING:
    from alembic.config import Config

LOCK_TIMEOUT_MS = 4_000  # a migration gives way rather than queue the whole service behind it
STATEMENT_TIMEOUT_MS = 5_000


def config(tree: Path, url: str = "") -> "Config":
    """Give Alembic's configuration for the migrations in `tree`, run on `url` as its owner."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(tree))
    made.set_main_option("version_table", "migration")
    made.attributes["url"] = url
    return made


def run(metadata: MetaData) -> None:
    """Run what Alembic was asked for: the whole body of a service's `migrations/env.py`."""
    from alembic import context

    url = make_url(context.config.attributes["url"]).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    with engine.connect() as connection:
        # Seeded rows are the service's own, and forced row security binds the owner too.
        connection.execute(text("select set_config('app.role', 'service', false)"))
        connection.execute(text(f"set lock_timeout = {LOCK_TIMEOUT_MS}"))
        connection.execute(text(f"set statement_timeout = {STATEMENT_TIMEOUT_MS}"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=metadata,
            version_table="migration",
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


def upgrade(tree: Path, url: str, to: str = "head") -> None:
    """Bring the schema up to revision `to`."""
    from alembic import command

    command.upgrade(config(tree, url), to)


def downgrade(tree: Path, url: str, to: str = "base") -> None:
    """Take the schema back to revision `to`."""
    from alembic import command

    command.downgrade(config(tree, url), to)


def head(tree: Path) -> str | None:
    """Name the newest revision in `tree`: a file is named by its revision, which is a time."""
    return max((file.name.partition("_")[0] for file in tree.glob("versions/*_*.py")), default=None)


def differences(url: str, metadata: MetaData, *, ours: Callable[[str], bool]) -> list[object]:
    """List where the database and `metadata` disagree, over the tables that `ours` names."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    def wanted(name: str | None, kind: str) -> bool:
        return kind != "table" or ours(name or "")

    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        found = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: wanted(name, kind),
                "include_object": lambda _o, name, kind, _r, _c: wanted(name, kind),
            },
        )
        rows = list(compare_metadata(found, metadata))
    engine.dispose()
    return rows
