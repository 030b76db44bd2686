"""The table of answers, as SQL for a service's first migration."""

from hazina.pg import USER_ID, protect

CREATE = f"""
create table idempotency_answer (
    key uuid primary key,
    actor_id uuid default {USER_ID},
    fields jsonb not null,
    answer text not null,
    created_at timestamptz not null,
    expires_at timestamptz
) with (fillfactor = 100);
create index idempotency_answer_by_expiry on idempotency_answer (expires_at)
    where expires_at is not null;
comment on table idempotency_answer is
    'What an attempt made, in the transaction that made it; a repeated attempt is answered so.';
comment on column idempotency_answer.key is
    'SHA-256 of caller, route and Idempotency-Key, cut to 128 bits; the key itself is not kept.';
comment on column idempotency_answer.actor_id is
    'The user in whose transaction it was written; null for the service itself and for nobody.';
comment on column idempotency_answer.fields is
    'A keyed digest of every field of the request: tells which one differs, not what it held.';
comment on column idempotency_answer.answer is 'What was made, as JSON.';
comment on column idempotency_answer.expires_at is
    'When the key may be used anew; null where money moved, because that is for ever.';
"""

# An attempt runs in its caller's transaction, so the caller must see its own answers; and a
# sign-up, which has no caller yet, must see those that nobody owns. The key is a hash of
# everything that may differ between callers, so what nobody owns cannot be found by guessing.
CREATE += protect(
    "idempotency_answer",
    read=f"actor_id is not distinct from {USER_ID}",
    write=f"actor_id is not distinct from {USER_ID}",
)


def create_sql() -> str:
    """Give the SQL that makes the table of answers."""
    return CREATE


def drop_sql() -> str:
    """Give the SQL that takes the table away, and with it the memory of every attempt."""
    return "drop table idempotency_answer;"
