"""The SQL of sessions. Reads and writes; decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Row, insert, select, text, update
from sqlalchemy.exc import OperationalError

from hazina import ids
from hazina.pg import Transaction
from hazina.problems import Unavailable
from identity.session.rules import Counter, Origin, Session, UserBrief
from identity.tables import refresh_tokens, security_events, sessions, user_devices, users

LOCK_WAIT = "5s"

# The token's row is the one that refreshes race for; the session and the user are read beside it,
# as they were before we waited: only the token's own row tells of an end that we waited for.
LOCK = text("""
    select s.id, s.user_id, s.org_id, s.aal, s.amr, s.auth_at, s.expires_at,
           coalesce(s.ended_at, r.revoked_at) as ended_at,
           r.key_enc, r.counter, r.last_refreshed_at, r.lost_answers, r.lost_at,
           r.expires_at as idle_at,
           u.username, u.display_name, u.account_type, u.marketplace_role, u.status,
           u.email, u.locale
      from refresh_tokens r join sessions s on s.id = r.session_id join users u on u.id = s.user_id
     where r.session_id = :id
       for update of r
""")
IDLEST = text("""
    select s.id from sessions s join refresh_tokens r on r.session_id = s.id
     where s.user_id = :user_id and s.ended_at is null
     order by r.last_refreshed_at desc, s.id desc offset :keep
""")
PAGE = text("""
    select s.id, s.device_id, s.org_id, s.aal, s.amr, s.auth_at, host(s.ip_address) as ip_address,
           s.location, s.expires_at, s.created_at
      from sessions s
     where s.user_id = :user_id and s.ended_at is null and s.expires_at > :now
       and (cast(:after as uuid) is null or s.id < :after)
     order by s.id desc limit :rows
""")


@dataclass(frozen=True, slots=True)
class Held:
    """A session whose refresh token is held by this transaction, and whose it is."""

    session: Session
    counter: Counter
    key_enc: bytes
    user: UserBrief
    email: str | None
    locale: str


async def add_session(
    tx: Transaction, session: Session, *, ip_address: str | None, key_enc: bytes, counter: Counter
) -> None:
    """Write a new session and how far its refresh token has counted."""
    await tx.execute(
        insert(sessions).values(
            id=session.id,
            user_id=session.user_id,
            device_id=session.device_id,
            org_id=session.org_id,
            aal=session.aal,
            amr=list(session.amr),
            auth_at=session.auth_at,
            ip_address=ip_address,
            expires_at=session.expires_at,
        )
    )
    await tx.execute(
        insert(refresh_tokens).values(
            session_id=session.id,
            device_id=session.device_id,
            key_enc=key_enc,
            counter=counter.value,
            last_refreshed_at=counter.last_refreshed_at,
            expires_at=counter.expires_at,
        )
    )


async def lock_session(tx: Transaction, id: UUID) -> Held | None:
    """Read a session and hold its refresh token; waits five seconds for others, then 503."""
    await tx.execute(text(f"set local lock_timeout = '{LOCK_WAIT}'"))
    try:
        row = (await tx.execute(LOCK, {"id": id})).one_or_none()
    except OperationalError as trouble:
        if isinstance(trouble.orig, psycopg.errors.LockNotAvailable):
            raise Unavailable("the session is being refreshed") from trouble
        raise
    if row is None:
        return None
    return Held(
        _session(row),
        Counter(
            session_id=row.id,
            value=row.counter,
            last_refreshed_at=row.last_refreshed_at,
            lost_answers=row.lost_answers,
            lost_at=row.lost_at,
            expires_at=row.idle_at,
        ),
        row.key_enc,
        _user(row, row.user_id),
        row.email,
        row.locale,
    )


def _session(row: Any) -> Session:
    return Session(
        id=row.id,
        user_id=row.user_id,
        org_id=row.org_id,
        aal=row.aal,
        amr=tuple(row.amr),
        auth_at=row.auth_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
    )


def _user(row: Any, id: UUID) -> UserBrief:
    return UserBrief(
        id, row.username, row.display_name, row.account_type, row.marketplace_role, row.status
    )


async def find_device(tx: Transaction, user_id: UUID, id: UUID) -> bytes | None:
    """Read the hash of what a user's device keeps."""
    mine = (user_devices.c.id == id, user_devices.c.user_id == user_id)
    found = await tx.execute(select(user_devices.c.secret_hash).where(*mine))
    return found.scalar_one_or_none()


async def set_device_seen(
    tx: Transaction, id: UUID, *, ip_address: str | None, now: datetime
) -> None:
    """Note that a device signed in again."""
    values = {"last_ip_address": ip_address, "last_seen_at": now}
    await tx.execute(update(user_devices).where(user_devices.c.id == id).values(values))


async def add_device(
    tx: Transaction,
    user_id: UUID,
    origin: Origin,
    *,
    id: UUID,
    secret_hash: bytes,
    fingerprint: str,
    now: datetime,
) -> None:
    """Write a device that a user signed in from for the first time."""
    await tx.execute(
        insert(user_devices).values(
            id=id,
            user_id=user_id,
            device_fingerprint=fingerprint,
            secret_hash=secret_hash,
            name=origin.user_agent or "unknown device",
            user_agent=origin.user_agent,
            last_ip_address=origin.ip_address,
            last_seen_at=now,
        )
    )


async def read_user(tx: Transaction, id: UUID) -> UserBrief:
    """Read so much of a user as comes with their tokens."""
    row = (await tx.execute(select(users).where(users.c.id == id))).one()
    return _user(row, id)


async def lock_user(tx: Transaction, id: UUID) -> None:
    """Hold a user's row: their sessions are counted by one transaction at a time."""
    await tx.execute(select(users.c.id).where(users.c.id == id).with_for_update(key_share=True))


async def set_counter(tx: Transaction, counter: Counter) -> None:
    """Write how far a refresh token has counted."""
    mine = refresh_tokens.c.session_id == counter.session_id
    await tx.execute(
        update(refresh_tokens)
        .where(mine)
        .values(
            counter=counter.value,
            last_refreshed_at=counter.last_refreshed_at,
            lost_answers=counter.lost_answers,
            lost_at=counter.lost_at,
            expires_at=counter.expires_at,
        )
    )


async def set_org(tx: Transaction, id: UUID, org_id: UUID) -> None:
    """Have a session act in another organisation."""
    await tx.execute(update(sessions).where(sessions.c.id == id).values(org_id=org_id))


async def list_idlest(tx: Transaction, user_id: UUID, *, keep: int) -> list[UUID]:
    """Read which of a user's live sessions are beyond the `keep` most lately used."""
    return list((await tx.execute(IDLEST, {"user_id": user_id, "keep": keep})).scalars())


async def list_live(tx: Transaction, user_id: UUID, *, but: UUID | None = None) -> list[UUID]:
    """Read a user's live sessions, without the one they ask from."""
    live = (sessions.c.user_id == user_id, sessions.c.ended_at.is_(None))
    wanted = select(sessions.c.id).where(*live).order_by(sessions.c.id)
    if but is not None:
        wanted = wanted.where(sessions.c.id != but)
    return list((await tx.execute(wanted)).scalars())


async def list_sessions(
    tx: Transaction, user_id: UUID, *, now: datetime, after: UUID | None, rows: int
) -> Sequence[Row[Any]]:
    """Read a user's live sessions, the newest first."""
    asked = {"user_id": user_id, "now": now, "after": after, "rows": rows}
    return (await tx.execute(PAGE, asked)).all()


async def find_session(tx: Transaction, id: UUID) -> Session | None:
    """Read a session."""
    row = (await tx.execute(select(sessions).where(sessions.c.id == id))).one_or_none()
    return None if row is None else _session(row)


async def end_sessions(
    tx: Transaction, user_id: UUID, session_ids: Sequence[UUID], *, reason: str, now: datetime
) -> list[UUID]:
    """End those of a user's sessions that are live; give which they were."""
    # Refresh tokens before sessions, as a refresh locks them: else the two would deadlock.
    token = refresh_tokens.c.session_id
    held = select(token).where(token.in_(session_ids)).order_by(token).with_for_update()
    await tx.execute(held)
    mine = (
        sessions.c.user_id == user_id,
        sessions.c.id.in_(session_ids),
        sessions.c.ended_at.is_(None),
    )
    ended = await tx.execute(
        update(sessions)
        .where(*mine)
        .values(ended_at=now, end_reason=reason)
        .returning(sessions.c.id)
    )
    gone = sorted(ended.scalars())
    revoked = update(refresh_tokens).where(token.in_(gone))
    await tx.execute(revoked.values(revoked_at=now))
    return gone


async def add_security_event(
    tx: Transaction, user_id: UUID, event_type: str, *, severity: str, details: dict[str, Any]
) -> None:
    """Note something that a user or staff should look at."""
    await tx.execute(
        insert(security_events).values(
            id=ids.new(),
            user_id=user_id,
            event_type=event_type,
            severity=severity,
            details=details,
        )
    )
