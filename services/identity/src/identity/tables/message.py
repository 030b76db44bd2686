"""Mail that is to be sent, and what became of it."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from identity.tables.metadata import at, created_at, metadata, sealed

notifications_outbox = Table(
    "notifications_outbox",
    metadata,
    Column("id", Uuid, primary_key=True, comment="Also the mail's Message-ID."),
    Column("user_id", ForeignKey("users.id")),
    Column("channel", Text, nullable=False),
    sealed("to_enc"),
    Column("template", Text, nullable=False),
    Column("locale", Text, nullable=False),
    sealed("params_enc", nullable=True),
    Column("dedupe_key", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="queued"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    at("next_attempt_at", nullable=False),
    at("lease_until", comment="Until when one sender works on it."),
    created_at(),
    UniqueConstraint("dedupe_key", name="notifications_outbox_once"),
    CheckConstraint("channel in ('email', 'sms')", name="notifications_outbox_channel"),
    CheckConstraint(
        "status in ('queued', 'sent', 'failed', 'unknown')", name="notifications_outbox_status"
    ),
    Index(
        "notifications_outbox_due", "next_attempt_at", postgresql_where=text("status = 'queued'")
    ),
    comment="Messages to people, each sent at least once; their parameters are wiped once sent.",
)

email_delivery_log = Table(
    "email_delivery_log",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("notification_id", ForeignKey("notifications_outbox.id"), nullable=False),
    Column("user_id", ForeignKey("users.id")),
    Column("to_email", Text, nullable=False, comment="Masked: a***@example.com."),
    Column("template", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("provider_ref", Text),
    Column("error_message", Text),
    at("delivered_at"),
    created_at(),
    CheckConstraint("status in ('sent', 'failed')", name="email_delivery_log_status"),
    Index("email_delivery_log_notification", "notification_id"),
    comment="Every try to hand over a mail.",
)
