"""Devices that somebody signed in from, which guessing elsewhere does not slow."""

from alembic import op

from hazina.pg import USER_ID, protect

revision = "20261121062000"
down_revision = "20261121055500"
branch_labels = None
depends_on = None

TABLES = """
create table user_devices (
    id uuid not null,
    user_id uuid not null,
    device_fingerprint text not null,
    secret_hash bytea not null,
    name text not null,
    user_agent text not null,
    trusted boolean default false not null,
    trusted_until timestamptz,
    last_ip_address inet,
    last_location text,
    last_seen_at timestamptz not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint user_devices_user_agent_short check (length(user_agent) <= 200),
    constraint user_devices_name_short check (length(name) <= 200),
    foreign key (user_id) references users (id)
);
create index user_devices_user on user_devices (user_id);
comment on table user_devices is 'Devices that somebody signed in from: guessing elsewhere does not slow these.';
comment on column user_devices.device_fingerprint is 'A hash of its user agent.';
comment on column user_devices.secret_hash is 'HMAC of what the device keeps.';
comment on column user_devices.trusted_until is 'Until when it is spared the second factor.';
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(protect("user_devices", read=f"user_id = {USER_ID}"))


def downgrade() -> None:
    op.execute("drop table user_devices")
