"""Questions that prove who somebody is, and the sessions they open."""

from alembic import op

from hazina.pg import IS_SERVICE, IS_STAFF, USER_ID, protect

revision = "20261121055000"
down_revision = "20261121054500"
branch_labels = None
depends_on = None

TABLES = """
create table auth_throttle (
    subject_hash bytea not null,
    failures integer not null,
    last_failure_at timestamptz not null,
    locked_until timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (subject_hash),
    constraint auth_throttle_failures check (failures >= 0)
);
comment on table auth_throttle is 'Failed sign-ins in a row, by identifier; a success or twelve hours forget them.';
comment on column auth_throttle.subject_hash is 'HMAC of who is being guessed.';

create table challenges (
    id uuid not null,
    purpose text not null,
    user_id uuid,
    session_id uuid,
    channel text not null,
    target_enc bytea,
    secret_hash bytea,
    data jsonb default '{}' not null,
    attempts integer default 0 not null,
    resends integer default 0 not null,
    resend_at timestamptz,
    expires_at timestamptz not null,
    used_at timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint challenges_purpose check (purpose in ('signup', 'login', 'second_factor', 'contact', 'recovery', 'reauth', 'passkey')),
    constraint challenges_channel check (channel in ('email', 'sms', 'factor', 'passkey')),
    constraint challenges_attempts check (attempts between 0 and 5),
    foreign key (user_id) references users (id)
);
create index challenges_expires on challenges (expires_at);
create index challenges_user on challenges (user_id) where used_at is null;
comment on table challenges is 'Open questions: each is answered at most once, by one winner.';
comment on column challenges.user_id is 'Null: nobody''s, and always wrong.';
comment on column challenges.target_enc is 'AES-256-GCM under IDENTITY_KEK.';
comment on column challenges.secret_hash is 'HMAC over the id and the code; null: always wrong.';
comment on column challenges.resend_at is 'Before this moment no other code is sent.';

create table security_events (
    id uuid not null,
    user_id uuid,
    org_id uuid,
    event_type text not null,
    severity text not null,
    ip_address inet,
    details jsonb default '{}' not null,
    resolved boolean default false not null,
    resolved_by_id uuid,
    resolved_at timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint security_events_severity check (severity in ('info', 'warning', 'critical')),
    foreign key (user_id) references users (id),
    foreign key (org_id) references organizations (id),
    foreign key (resolved_by_id) references users (id)
);
create index security_events_user on security_events (user_id, created_at);
comment on table security_events is 'What a user or staff should look at: stolen tokens, locked sign-ins.';

create table sessions (
    id uuid not null,
    user_id uuid not null,
    device_id uuid,
    org_id uuid not null,
    aal smallint not null,
    amr text[] not null,
    auth_at timestamptz not null,
    ip_address inet,
    location text,
    expires_at timestamptz not null,
    ended_at timestamptz,
    end_reason text,
    created_at timestamptz default clock_timestamp() not null,
    primary key (id),
    constraint sessions_aal check (aal in (1, 2)),
    constraint sessions_end_reason check ((ended_at is null) = (end_reason is null)),
    foreign key (user_id) references users (id),
    foreign key (org_id) references organizations (id)
);
create index sessions_live on sessions (user_id) where ended_at is null;
comment on table sessions is 'Sign-ins. An ended session never comes back.';
comment on column sessions.aal is '1: one factor, 2: two.';
comment on column sessions.amr is 'How they proved it: pwd, otp, email, ...';
comment on column sessions.auth_at is 'When they last proved who they are.';
comment on column sessions.expires_at is 'Thirty days after the sign-in, whatever happens.';

create table refresh_tokens (
    session_id uuid not null,
    device_id uuid,
    key_enc bytea not null,
    counter bigint not null,
    last_refreshed_at timestamptz not null,
    lost_answers integer default 0 not null,
    lost_at timestamptz,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    created_at timestamptz default clock_timestamp() not null,
    primary key (session_id),
    constraint refresh_tokens_counter check (counter >= 0),
    constraint refresh_tokens_lost_answers check (lost_answers >= 0),
    foreign key (session_id) references sessions (id)
)
with (fillfactor = 50);
comment on table refresh_tokens is 'The refresh token of each session: no token is stored, only how far it counted.';
comment on column refresh_tokens.key_enc is 'AES-256-GCM under IDENTITY_KEK.';
comment on column refresh_tokens.counter is 'Of the token that is now good.';
comment on column refresh_tokens.lost_at is 'When the first of the counted answers was lost.';
comment on column refresh_tokens.expires_at is 'Idle end: moves with every refresh.';
"""

OWN = f"user_id = {USER_ID}"


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(protect("challenges", read=IS_SERVICE))
    op.execute(protect("auth_throttle", read=IS_SERVICE))
    op.execute(protect("sessions", read=OWN))
    op.execute(protect("refresh_tokens", read=IS_SERVICE))
    op.execute(protect("security_events", read=f"{OWN} or {IS_STAFF}"))


def downgrade() -> None:
    op.execute("drop table security_events, refresh_tokens, sessions, auth_throttle, challenges")
