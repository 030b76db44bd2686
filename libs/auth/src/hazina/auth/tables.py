"""The three small tables that every service keeps about who may still call it, as SQL."""

from hazina.pg import IS_SERVICE, ORG_ID, USER_ID, protect

CREATE = """
    create table member (
        org_id uuid not null,
        user_id uuid not null,
        role text not null check (role in ('owner', 'member', 'viewer')),
        mv bigint not null check (mv > 0),
        status text not null check (status in ('active', 'removed')),
        heard_at timestamptz not null default clock_timestamp(),
        primary key (org_id, user_id)
    );
    comment on table member is 'Who belongs to which organisation, as heard from identity.';
    comment on column member.mv is
        'The version of the membership: tokens with a lower one are refused.';
    comment on column member.status is 'Removed rows stay, so that mv only rises.';
    create index member_changed on member (heard_at) where mv > 1;
    create index member_user on member (user_id);

    create table revoked_session (
        session_id uuid primary key,
        user_id uuid not null,
        heard_at timestamptz not null default clock_timestamp()
    );
    comment on table revoked_session is
        'Sessions that were ended while tokens of theirs may still live.';
    create index revoked_session_heard on revoked_session (heard_at);

    create table revoked_key (
        kid text primary key,
        heard_at timestamptz not null default clock_timestamp()
    );
    comment on table revoked_key is 'Signing keys that identity has taken back; never pruned.';
"""


def create_sql() -> str:
    """Give the SQL that a service's first migration runs: the tables, and row-level security."""
    own = f"user_id = {USER_ID} or org_id = {ORG_ID}"
    return "\n".join(
        (
            CREATE,
            protect("member", read=own),
            protect("revoked_session", read=f"user_id = {USER_ID}"),
            protect("revoked_key", read=IS_SERVICE),
        )
    )


def drop_sql() -> str:
    """Give the SQL that takes the tables away again."""
    return "drop table revoked_key, revoked_session, member;"
