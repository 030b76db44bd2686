"""Questions that prove who somebody is: codes that were sent, and how often they were guessed."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from identity.tables.metadata import at, created_at, metadata, sealed

challenges = Table(
    "challenges",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("user_id", ForeignKey("users.id"), comment="Whose tries it counts, even always wrong."),
    Column("session_id", Uuid),
    Column("channel", Text, nullable=False),
    sealed("target_enc", nullable=True),
    Column(
        "secret_hash", LargeBinary, comment="HMAC over the id and the code; null: always wrong."
    ),
    Column("data", JSONB, nullable=False, server_default=text("'{}'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("resends", Integer, nullable=False, server_default=text("0")),
    at("resend_at", comment="Before this moment no other code is sent."),
    at("expires_at", nullable=False),
    at("used_at"),
    created_at(),
    at("wrong_at", comment="Of the last wrong try, also of a challenge that this one replaced."),
    at("mailed_at", comment="Of the last mail, also of a challenge that this one replaced."),
    CheckConstraint(
        "purpose in ('signup', 'login', 'second_factor', 'contact', 'recovery', 'reauth',"
        " 'passkey')",
        name="challenges_purpose",
    ),
    CheckConstraint("channel in ('email', 'sms', 'factor', 'passkey')", name="challenges_channel"),
    CheckConstraint("attempts between 0 and 5", name="challenges_attempts"),
    Index("challenges_user", "user_id", postgresql_where=text("used_at is null")),
    Index("challenges_expires", "expires_at"),
    comment="Open questions: each is answered at most once, by one winner.",
)
