"""The one metadata of billing's tables, and the columns that many of them share."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, DateTime, MetaData, Uuid, text

metadata = MetaData()


def made_id() -> "Column[UUID]":
    """Give a fresh key column whose values sort by the time they were made."""
    return Column("id", Uuid, primary_key=True, server_default=text("uuidv7()"))


def at(name: str, *, nullable: bool = True, comment: str | None = None) -> "Column[datetime]":
    """Give a fresh column that holds a moment."""
    return Column(name, DateTime(timezone=True), nullable=nullable, comment=comment)


def created_at() -> "Column[datetime]":
    """Give a fresh column that says when its row was added, by the database's clock."""
    return _noted("created_at")


def updated_at() -> "Column[datetime]":
    """Give a fresh column that a trigger keeps at the row's last change."""
    return _noted("updated_at")


def _noted(name: str) -> "Column[datetime]":
    return Column(
        name, DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")
    )
