"""Every table that the sample service owns."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)

metadata = MetaData()

note = Table(
    "note",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("text", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("written_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("char_length(text) between 1 and 200", name="note_text_bounded"),
    Index("note_by_user", "user_id", "id"),
    comment="What a person wants to remember.",
)

note_count = Table(
    "note_count",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("written", BigInteger, nullable=False),
    comment="How many notes each person ever wrote, as heard.",
)

colour = Table(
    "colour",
    metadata,
    Column("code", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    comment="The colours that notes may have one day; filled by a migration.",
)
