"""How often somebody guessed: what slows an attacker and never locks the owner out."""

from sqlalchemy import CheckConstraint, Column, Integer, LargeBinary, Table

from identity.tables.metadata import at, created_at, metadata

auth_throttle = Table(
    "auth_throttle",
    metadata,
    Column("subject_hash", LargeBinary, primary_key=True, comment="HMAC of who is being guessed."),
    Column("failures", Integer, nullable=False),
    at("last_failure_at", nullable=False),
    at("locked_until"),
    created_at(),
    CheckConstraint("failures >= 0", name="auth_throttle_failures"),
    comment="Failed sign-ins in a row, by identifier; a success or twelve hours forget them.",
)
