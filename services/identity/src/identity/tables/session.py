"""Who is signed in, and the one row that a refresh changes."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB

from identity.tables.metadata import at, created_at, metadata, sealed

user_devices = Table(
    "user_devices",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("device_fingerprint", Text, nullable=False, comment="A hash of its user agent."),
    Column("secret_hash", LargeBinary, nullable=False, comment="HMAC of what the device keeps."),
    Column("name", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("trusted", Boolean, nullable=False, server_default=text("false")),
    at("trusted_until", comment="Until when it is spared the second factor."),
    Column("last_ip_address", INET),
    Column("last_location", Text),
    at("last_seen_at", nullable=False),
    created_at(),
    CheckConstraint("length(user_agent) <= 200", name="user_devices_user_agent_short"),
    CheckConstraint("length(name) <= 200", name="user_devices_name_short"),
    Index("user_devices_user", "user_id"),
    comment="Devices that somebody signed in from: guessing elsewhere does not slow these.",
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("device_id", Uuid),
    Column("org_id", ForeignKey("organizations.id"), nullable=False),
    Column("aal", SmallInteger, nullable=False, comment="1: one factor, 2: two."),
    Column("amr", ARRAY(Text), nullable=False, comment="How they proved it: pwd, otp, email, ..."),
    at("auth_at", nullable=False, comment="When they last proved who they are."),
    Column("ip_address", INET),
    Column("location", Text),
    at("expires_at", nullable=False, comment="Thirty days after the sign-in, whatever happens."),
    at("ended_at"),
    Column("end_reason", Text),
    created_at(),
    CheckConstraint("aal in (1, 2)", name="sessions_aal"),
    CheckConstraint("(ended_at is null) = (end_reason is null)", name="sessions_end_reason"),
    Index("sessions_live", "user_id", postgresql_where=text("ended_at is null")),
    comment="Sign-ins. An ended session never comes back.",
)

# One row a session, updated in place: the fill factor leaves room for it on its page.
refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("session_id", ForeignKey("sessions.id"), primary_key=True),
    Column("device_id", Uuid),
    sealed("key_enc"),
    Column("counter", BigInteger, nullable=False, comment="Of the token that is now good."),
    at("last_refreshed_at", nullable=False),
    Column("lost_answers", Integer, nullable=False, server_default=text("0")),
    at("lost_at", comment="When the first of the counted answers was lost."),
    at("expires_at", nullable=False, comment="Idle end: moves with every refresh."),
    at("revoked_at"),
    created_at(),
    CheckConstraint("counter >= 0", name="refresh_tokens_counter"),
    CheckConstraint("lost_answers >= 0", name="refresh_tokens_lost_answers"),
    comment="The refresh token of each session: no token is stored, only how far it counted.",
    postgresql_with={"fillfactor": 50},
)

security_events = Table(
    "security_events",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey("users.id")),
    Column("org_id", ForeignKey("organizations.id")),
    Column("event_type", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("ip_address", INET),
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    Column("resolved", Boolean, nullable=False, server_default=text("false")),
    Column("resolved_by_id", ForeignKey("users.id")),
    at("resolved_at"),
    created_at(),
    CheckConstraint("severity in ('info', 'warning', 'critical')", name="security_events_severity"),
    Index("security_events_user", "user_id", "created_at"),
    comment="What a user or staff should look at: stolen tokens, locked sign-ins.",
)
