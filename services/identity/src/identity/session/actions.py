"""What can be done with a session: open, refresh, move to another organisation, end."""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from hazina import auth, ids, outbox
from hazina.idempotency import Attempt
from hazina.pg import SERVICE, Database, Transaction
from identity.message import actions as message
from identity.organisation import actions as organisation
from identity.organisation.rules import Place
from identity.session import rules, store
from identity.session.events import SessionRevoked
from identity.session.rules import (
    Counter,
    OrgBrief,
    Origin,
    Refresh,
    Session,
    TokenSet,
    UserBrief,
)
from identity.session.store import Held
from identity.trust import Trust
from identity.vault import Vault

KEY_BYTES = 32
TOKENS = TypeAdapter(TokenSet)


@dataclass(frozen=True, slots=True)
class SealedTokens:
    """Tokens as an attempt's answer is kept: nobody reads them there."""

    sealed: str


def _place(id: UUID) -> str:
    return f"refresh_tokens:{id}"


async def open_in(
    tx: Transaction,
    trust: Trust,
    user_id: UUID,
    *,
    amr: Sequence[str],
    origin: Origin,
    now: datetime,
) -> TokenSet:
    """Sign a user in, in their own organisation; their idlest session beyond fifty ends.

    A device that is not known gets a token to be known by.

    Raises AccountSuspended, AccountBanned.
    """
    await store.lock_user(tx, user_id)
    user = await store.read_user(tx, user_id)
    place = await organisation.personal_in(tx, user_id)

    rules.require_welcome(user)
    device_id, device_token = await _device_in(tx, trust.vault, user_id, origin, now)
    session = Session(
        id=ids.new(),
        user_id=user_id,
        device_id=device_id,
        org_id=place.id,
        aal=1,
        amr=tuple(amr),
        auth_at=now,
        expires_at=now + rules.lives(user.account_type),
    )
    key = secrets.token_bytes(KEY_BYTES)
    counter = Counter(
        session_id=session.id,
        value=0,
        last_refreshed_at=now,
        lost_answers=0,
        lost_at=None,
        expires_at=now + rules.idles(user.account_type),
    )

    await store.add_session(
        tx,
        session,
        ip_address=origin.ip_address,
        key_enc=trust.vault.seal(key, place=_place(session.id)),
        counter=counter,
    )
    idlest = await store.list_idlest(tx, user_id, keep=rules.PER_USER_MAX)
    await end_in(tx, user_id, idlest, reason="too_many", now=now)
    token = rules.write_token(session.id, counter.value, key)
    made = _tokens(trust, session, user, place, now=now, refresh_token=token)
    return replace(made, device_token=device_token)


def seal(trust: Trust, made: TokenSet, attempt: Attempt) -> SealedTokens:
    """Close tokens up, so that what an attempt made may be kept."""
    raw = TOKENS.dump_json(made)
    return SealedTokens(trust.vault.seal(raw, place=f"attempt:{attempt.key}").hex())


def unseal(trust: Trust, kept: SealedTokens, attempt: Attempt) -> TokenSet:
    """Open what the first attempt made."""
    place = f"attempt:{attempt.key}"
    return TOKENS.validate_json(trust.vault.open(bytes.fromhex(kept.sealed), place=place))


async def find_device_in(
    tx: Transaction, vault: Vault, user_id: UUID, origin: Origin
) -> UUID | None:
    """Tell which of a user's devices this is, if it shows what that device keeps."""
    shown = rules.read_device_token(origin.device_token or "")
    if shown is None:
        return None
    id, secret = shown
    kept = await store.find_device(tx, user_id, id)
    if kept is None or not hmac.compare_digest(kept, _device_mark(vault, id, secret)):
        return None
    return id


def _device_mark(vault: Vault, id: UUID, secret: bytes) -> bytes:
    return vault.mark("device", id, secret.hex())


async def _device_in(
    tx: Transaction, vault: Vault, user_id: UUID, origin: Origin, now: datetime
) -> tuple[UUID, str | None]:
    """Know a device again, or remember it; give its id and the token that a new one keeps."""
    known = await find_device_in(tx, vault, user_id, origin)
    if known is not None:
        await store.set_device_seen(tx, known, ip_address=origin.ip_address, now=now)
        return known, None
    id, secret = ids.new(), secrets.token_bytes(rules.DEVICE_SECRET_BYTES)
    await store.add_device(
        tx,
        user_id,
        origin,
        id=id,
        secret_hash=_device_mark(vault, id, secret),
        fingerprint=vault.mark("fingerprint", origin.user_agent).hex(),
        now=now,
    )
    return id, rules.write_device_token(id, secret)


def _tokens(
    trust: Trust,
    session: Session,
    user: UserBrief,
    place: Place,
    *,
    now: datetime,
    refresh_token: str | None,
) -> TokenSet:
    """Sign an access token for a session as it stands."""
    lives_s = trust.access_token_s - secrets.randbelow(rules.EARLY_S + 1)
    issued_at = int(now.timestamp())
    claims: dict[str, Any] = {
        "iss": trust.issuer,
        "aud": trust.audience,
        "sub": str(session.user_id),
        "sid": str(session.id),
        "iat": issued_at,
        "exp": issued_at + lives_s,
        "jti": str(ids.new()),
        "aal": session.aal,
        "amr": list(session.amr),
        "auth_time": int(session.auth_at.timestamp()),
        "prole": user.account_type,
        "org": {"id": str(place.id), "type": place.type, "role": place.role, "mv": place.mv},
    }
    return TokenSet(
        access_token=trust.ring.sign(claims),
        expires_in=lives_s,
        refresh_token=refresh_token,
        session_id=session.id,
        user=user,
        org=OrgBrief(place.id, place.slug, place.type, place.role),
    )


async def refresh(
    db: Database, trust: Trust, token: str, *, now: datetime
) -> tuple[TokenSet, Refresh]:
    """Give the tokens that come after `token`, or those that came after it already.

    Raises RefreshInvalid, SessionExpired, AccountSuspended, AccountBanned and, having ended the
    session, RefreshReused.
    """
    presented = rules.read_token(token)
    await trust.ring.refresh()
    async with db.transaction(SERVICE) as tx:
        held = await store.lock_session(tx, presented.session_id)
        if held is None:
            raise rules.RefreshInvalid
        key = trust.vault.open(held.key_enc, place=_place(held.session.id))

        rules.require_ours(presented, key)
        rules.require_alive(held.session, held.counter, now)
        rules.require_welcome(held.user)
        meaning = rules.refresh(held.counter, presented.counter, now)

        if meaning is not Refresh.THEFT:
            counter = _counted(held, meaning, now)
            if counter != held.counter:
                await store.set_counter(tx, counter)
            place = await organisation.place_in(tx, held.session.user_id, held.session.org_id)
            if place.id != held.session.org_id:
                await store.set_org(tx, held.session.id, place.id)
            good = rules.write_token(held.session.id, counter.value, key)
            made = _tokens(trust, held.session, held.user, place, now=now, refresh_token=good)
            return made, meaning
        await _end_stolen_in(
            tx, trust, held, behind=held.counter.value - presented.counter, now=now
        )
    raise rules.RefreshReused


def _counted(held: Held, meaning: Refresh, now: datetime) -> Counter:
    """Say how the counter stands after a refresh."""
    match meaning:
        case Refresh.NEXT:
            idle = now + rules.idles(held.user.account_type)
            value = held.counter.value + 1
            return replace(held.counter, value=value, last_refreshed_at=now, expires_at=idle)
        case Refresh.LOST_ANSWER:
            answers, since = rules.lost(held.counter, now)
            return replace(held.counter, lost_answers=answers, lost_at=since)
        case _:
            return held.counter


async def _end_stolen_in(
    tx: Transaction, trust: Trust, held: Held, *, behind: int, now: datetime
) -> None:
    """End a session whose old token came back, and tell its owner."""
    session = held.session
    details = {"session_id": str(session.id), "behind": behind}
    await end_in(tx, session.user_id, [session.id], reason="refresh_reused", now=now)
    await store.add_security_event(
        tx, session.user_id, "session.refresh_reused", severity="critical", details=details
    )
    if held.email is not None:
        await message.send_in(
            tx,
            trust.vault,
            "session_stolen",
            to=held.email,
            locale=held.locale,
            user_id=session.user_id,
            params={"link": f"{trust.app_url}/security"},
            now=now,
            once=f"session_stolen:{session.id}",
        )


async def end_in(
    tx: Transaction, user_id: UUID, session_ids: Sequence[UUID], *, reason: str, now: datetime
) -> None:
    """End sessions of a user and tell every service; those that ended before stay as they were."""
    if not session_ids:
        return
    ended = await store.end_sessions(tx, user_id, session_ids, reason=reason, now=now)
    if not ended:
        return
    await auth.revoke_sessions(tx, [(id, user_id) for id in ended])
    told = SessionRevoked(user_id=user_id, session_ids=tuple(ended), reason=reason, revoked_at=now)
    await outbox.publish(tx, told)


async def sign_out(db: Database, user_id: UUID, session_id: UUID, *, now: datetime) -> None:
    """End the session that asks; one that is over already stays so."""
    async with db.transaction(SERVICE) as tx:
        await end_in(tx, user_id, [session_id], reason="signed_out", now=now)


async def end_one(db: Database, user_id: UUID, session_id: UUID, *, now: datetime) -> None:
    """End one session of a user; raises SessionUnknown. Ending it again changes nothing."""
    async with db.transaction(SERVICE) as tx:
        session = await store.find_session(tx, session_id)
        if session is None or session.user_id != user_id:
            raise rules.SessionUnknown
        await end_in(tx, user_id, [session_id], reason="signed_out", now=now)


async def end_others(db: Database, user_id: UUID, current: UUID, *, now: datetime) -> None:
    """End every session of a user but the one they ask from."""
    async with db.transaction(SERVICE) as tx:
        await store.lock_user(tx, user_id)
        others = await store.list_live(tx, user_id, but=current)
        await end_in(tx, user_id, others, reason="signed_out", now=now)


async def switch_org(
    db: Database, trust: Trust, *, session_id: UUID, org_id: UUID, now: datetime
) -> TokenSet:
    """Have a session act in another organisation; raises NotMember. Its refresh token stays."""
    await trust.ring.refresh()
    async with db.transaction(SERVICE) as tx:
        held = await store.lock_session(tx, session_id)
        if held is None:
            raise rules.SessionUnknown
        rules.require_alive(held.session, held.counter, now)
        place = await organisation.require_place_in(tx, held.session.user_id, org_id)
        await store.set_org(tx, session_id, org_id)
        moved = replace(held.session, org_id=org_id)
        return _tokens(trust, moved, held.user, place, now=now, refresh_token=None)
