"""The one metadata of identity's tables, and the columns that many of them share."""

from datetime import datetime

from sqlalchemy import Column, DateTime, LargeBinary, MetaData, text

metadata = MetaData()


def at(name: str, *, nullable: bool = True, comment: str | None = None) -> "Column[datetime]":
    """Give a column that holds a moment, with its zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable, comment=comment)


def created_at() -> "Column[datetime]":
    """Give a fresh column that says when its row was added, by the database's clock."""
    return Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("clock_timestamp()"),
    )


def sealed(name: str, *, nullable: bool = False) -> "Column[bytes]":
    """Give a column whose bytes are encrypted under IDENTITY_KEK."""
    return Column(name, LargeBinary, nullable=nullable, comment="AES-256-GCM under IDENTITY_KEK.")
