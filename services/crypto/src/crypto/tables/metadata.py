"""The one metadata of crypto's tables, and the columns that many of them share."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    MetaData,
    Numeric,
    Uuid,
    text,
)

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


def unit() -> "Column[Decimal]":
    """Give a fresh column that says what one base unit of the row's token is worth."""
    return Column("unit", Numeric, nullable=False, comment="10^-decimals of the token.")


def amount(name: str, *, default: bool = True) -> "tuple[Column[Decimal], Column[Decimal]]":
    """Give an amount twice: whole base units, as they are counted, and decimals, as they are read.

    The names of requirement documents are those of the decimals.
    """
    base = f"{name.removesuffix('_balance')}_base"
    return (
        Column(
            base,
            Numeric(78, 0),
            CheckConstraint(f"{base} >= 0"),
            nullable=False,
            server_default=text("0") if default else None,
        ),
        Column(name, Numeric, Computed(f"{base} * unit", persisted=True)),
    )
