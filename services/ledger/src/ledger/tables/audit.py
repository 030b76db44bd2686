"""The proof that the book is right: each time it was checked, and what was found."""

from sqlalchemy import Boolean, Column, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from ledger.tables.metadata import created_at, metadata

check_run = Table(
    "check_run",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("level", Text, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("findings", JSONB(none_as_null=True), nullable=False),
    created_at(),
    comment="Each proof of the book, and every difference that it found.",
)
