"""The one metadata that every table of the service is registered in, and what tables share."""

from sqlalchemy import Column, DateTime, MetaData, text

metadata = MetaData()

NOW = text("now()")


def times() -> tuple[Column[object], Column[object]]:
    """Give the two columns every row that changes carries."""
    return (
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=NOW),
        Column("updated_at", DateTime(timezone=True), nullable=False, server_default=NOW),
    )
