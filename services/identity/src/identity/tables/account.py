"""Who there is: the 41 fields of a user, and how we know their password."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from identity.tables.metadata import at, created_at, metadata

# Free text that a user may leave empty, in the requirement's order.
NAMES = ("personal_title", "first_name", "middle_name", "last_name")
PERSONAL = (
    *("personal_apt_suite", "personal_street_address_1", "personal_street_address_2"),
    *("personal_city", "personal_state", "personal_postal_code", "personal_country"),
)
BUSINESS = (
    *("business_position", "business_company", "business_apt_suite"),
    *("business_street_address_1", "business_street_address_2", "business_city"),
    *("business_state", "business_postal_code", "business_country"),
)
TEXTS = ("full_name", "avatar_url", *NAMES, *PERSONAL, *BUSINESS)
TEXT_LENGTH_MAX = 200
BIO_LENGTH_MAX = 2000
ITEMS_MAX = 20


def _text(name: str) -> "Column[str]":
    return Column(name, Text)


def _short(name: str) -> CheckConstraint:
    return CheckConstraint(f"length({name}) <= {TEXT_LENGTH_MAX}", name=f"users_{name}_short")


def _updated_at() -> "Column[datetime]":
    now = text("clock_timestamp()")
    return Column("updated_at", DateTime(timezone=True), nullable=False, server_default=now)


users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    *map(_text, TEXTS),
    Column("billing_address", JSONB(none_as_null=True)),
    Column(
        "payment_method",
        JSONB(none_as_null=True),
        comment="provider, provider_ref, brand, last4; never a card.",
    ),
    Column("username", Text),
    Column("display_name", Text, nullable=False),
    Column("email", Text),
    Column("phone_country_code", Text),
    Column("phone_number", Text),
    Column("bio", Text),
    Column("education", JSONB, nullable=False, server_default=text("'[]'")),
    Column("work_experience", JSONB, nullable=False, server_default=text("'[]'")),
    Column("account_type", Text, nullable=False, server_default="user"),
    Column("profile_completed", Boolean, nullable=False, server_default=text("false")),
    Column("onboarding_completed", Boolean, nullable=False, server_default=text("false")),
    created_at(),
    _updated_at(),
    Column("status", Text, nullable=False),
    Column("marketplace_role", Text, nullable=False, server_default="buyer"),
    Column("locale", Text, nullable=False, server_default="en"),
    at("email_verified_at"),
    at("phone_verified_at"),
    at("suspended_until"),
    at("erase_at", comment="When an erasing account becomes an erased one."),
    Column("version", BigInteger, nullable=False, comment="Rises with every change: the ETag."),
    UniqueConstraint("username", name="users_username_is_one"),
    UniqueConstraint("email", name="users_email_is_one"),
    Index(
        "users_verified_phone_is_one",
        "phone_country_code",
        "phone_number",
        unique=True,
        postgresql_where=text("phone_verified_at is not null"),
    ),
    *map(_short, (*TEXTS, "display_name", "email")),
    CheckConstraint("username ~ '^[a-z0-9_]{3,30}$'", name="users_username_shape"),
    CheckConstraint("email = lower(email)", name="users_email_lower"),
    CheckConstraint(f"length(bio) <= {BIO_LENGTH_MAX}", name="users_bio_short"),
    CheckConstraint(f"jsonb_array_length(education) <= {ITEMS_MAX}", name="users_education_few"),
    CheckConstraint(
        f"jsonb_array_length(work_experience) <= {ITEMS_MAX}", name="users_work_experience_few"
    ),
    CheckConstraint("personal_country ~ '^[A-Z]{2}$'", name="users_personal_country_alpha2"),
    CheckConstraint("business_country ~ '^[A-Z]{2}$'", name="users_business_country_alpha2"),
    CheckConstraint("account_type in ('user', 'admin', 'super_admin')", name="users_account_type"),
    CheckConstraint("locale in ('en', 'sw')", name="users_locale"),
    CheckConstraint(
        "status in ('unverified', 'active', 'suspended', 'banned', 'erasing', 'erased')",
        name="users_status",
    ),
    comment="Everybody who ever signed up. Erased ones keep their id and nothing of themselves.",
)

passwords = Table(
    "passwords",
    metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("hash", Text, nullable=False, comment="Argon2id over the peppered password."),
    Column("pepper_id", Text, nullable=False, comment="Which pepper it was made with."),
    Column("chars", Integer, nullable=False, comment="Its length: short ones need a factor."),
    created_at(),
    comment="How we know a user's password without knowing it.",
)

password_history = Table(
    "password_history",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("password_hash", Text, nullable=False),
    created_at(),
    Index("password_history_user", "user_id", "created_at"),
    comment="The last five passwords of each user, so that none comes back.",
)
