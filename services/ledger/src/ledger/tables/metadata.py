"""The one metadata of the ledger's tables, and the columns that many of them share."""

from datetime import datetime

from sqlalchemy import Column, DateTime, MetaData, text

metadata = MetaData()


def created_at() -> "Column[datetime]":
    """Give a fresh column that says when its row was added, by the database's clock."""
    return Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("clock_timestamp()"),
    )
