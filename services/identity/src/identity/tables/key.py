"""The keys that access tokens are signed with."""

from sqlalchemy import CheckConstraint, Column, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from identity.tables.metadata import at, created_at, metadata, sealed

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    sealed("private_enc"),
    Column("public", JSONB, nullable=False, comment="The JWK that is published."),
    Column("state", Text, nullable=False),
    at("state_at", nullable=False, comment="Since when it is in that state."),
    created_at(),
    CheckConstraint(
        "state in ('standby', 'active', 'retiring', 'revoked')", name="signing_keys_state"
    ),
    Index(
        "signing_keys_one_active",
        "state",
        unique=True,
        postgresql_where=text("state in ('standby', 'active')"),
    ),
    comment="One key signs; the next is published before it does, the last one until it is over.",
)
