"""The keys that tokens are signed with, and the mail that is to be sent."""

from alembic import op

from hazina.pg import IS_SERVICE, IS_STAFF, protect

revision = "20261121055500"
down_revision = "20261121055000"
branch_labels = None
depends_on = None

TABLES = """
create table signing_keys (
    kid text not null,
    private_enc bytea not null,
    public jsonb not null,
    state text not null,
    state_at timestamptz not null,
    created_at timestamptz default clock_timestamp() not null,
    primary key (kid),
    constraint signing_keys_state check (state in ('standby', 'active', 'retiring', 'revoked'))
);
create unique index signing_keys_one_active on signing_keys (state) where state in ('standby', 'active');
comment on table signing_keys is 'One key signs; the next is published before it does, the last one until it is over.';
comment on column signing_keys.private_enc is 'AES-256-GCM under IDENTITY_KEK.';
comment on column signing_keys.public is 'The JWK that is published.';
comment on column signing_keys.state_at is 'Since when it is in that state.';

create table notifications_outbox (
    id uuid not null,
    user_id uuid,
    channel text not null,
    to_enc bytea not null,
    template text not null,
    locale text not null,
    params_enc bytea,
    dedupe_key text not null,
    status text default 'queued' not null,
    attempts integer default 0 not null,
    next_attempt_at timestamptz not null,
    lease_until timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint notifications_outbox_once unique (dedupe_key),
    constraint notifications_outbox_channel check (channel in ('email', 'sms')),
    constraint notifications_outbox_status check (status in ('queued', 'sent', 'failed', 'unknown')),
    foreign key (user_id) references users (id)
);
create index notifications_outbox_due on notifications_outbox (next_attempt_at) where status = 'queued';
comment on table notifications_outbox is 'Messages to people, each sent at least once; their parameters are wiped once sent.';
comment on column notifications_outbox.id is 'Also the mail''s Message-ID.';
comment on column notifications_outbox.to_enc is 'AES-256-GCM under IDENTITY_KEK.';
comment on column notifications_outbox.params_enc is 'AES-256-GCM under IDENTITY_KEK.';
comment on column notifications_outbox.lease_until is 'Until when one sender works on it.';

create table email_delivery_log (
    id uuid not null,
    notification_id uuid not null,
    user_id uuid,
    to_email text not null,
    template text not null,
    status text not null,
    provider text not null,
    provider_ref text,
    error_message text,
    delivered_at timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint email_delivery_log_status check (status in ('sent', 'failed')),
    foreign key (notification_id) references notifications_outbox (id),
    foreign key (user_id) references users (id)
);
create index email_delivery_log_notification on email_delivery_log (notification_id);
comment on table email_delivery_log is 'Every try to hand over a mail.';
comment on column email_delivery_log.to_email is 'Masked: a***@example.com.';
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(protect("signing_keys", read=IS_SERVICE))
    op.execute(protect("notifications_outbox", read=IS_SERVICE))
    op.execute(protect("email_delivery_log", read=IS_STAFF))


def downgrade() -> None:
    op.execute("drop table email_delivery_log, notifications_outbox, signing_keys")
