"""Every table that identity owns, by capability, with one metadata."""

from identity.tables.account import password_history, passwords, users
from identity.tables.factor import challenges
from identity.tables.key import signing_keys
from identity.tables.login import auth_throttle
from identity.tables.message import email_delivery_log, notifications_outbox
from identity.tables.metadata import metadata
from identity.tables.organisation import organization_members, organizations
from identity.tables.session import refresh_tokens, security_events, sessions, user_devices

__all__ = [
    "auth_throttle",
    "challenges",
    "email_delivery_log",
    "metadata",
    "notifications_outbox",
    "organization_members",
    "organizations",
    "password_history",
    "passwords",
    "refresh_tokens",
    "security_events",
    "sessions",
    "signing_keys",
    "user_devices",
    "users",
]
