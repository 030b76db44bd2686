"""What can be done with an account: sign up, prove the address, change the profile."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from hazina import idempotency, ids, outbox
from hazina.chassis import PreconditionFailed
from hazina.idempotency import Attempt
from hazina.pg import SERVICE, Actor, Database, Transaction
from identity.account import rules, store
from identity.account.events import UserProfileChanged, UserRegistered
from identity.account.rules import Account
from identity.factor import actions as factor
from identity.factor.rules import ChallengeRead, shown
from identity.message import actions as message
from identity.organisation import actions as organisation
from identity.organisation.rules import Reason
from identity.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Signup:
    """Who wants to join, with the fields of their profile that they gave."""

    email: str
    password: str
    profile: Mapping[str, Any]


async def sign_up(
    db: Database, trust: Trust, ask: Signup, attempt: Attempt, *, now: datetime
) -> ChallengeRead:
    """Take somebody in, or tell who is in already by mail; the answer is the same for both.

    Raises EmailRefused, UsernameRefused, password.*, Busy, UsernameTaken, in that order.
    """
    email = rules.normalise_email(ask.email)
    username = ask.profile.get("username")
    rules.require_username(username)
    own = {"email": email} | {n: ask.profile.get(n) for n in ("username", "first_name")}
    chars = rules.require_password(ask.password, own=own)
    trust.conceal(attempt, "password")
    hash = await trust.hasher.hash(ask.password)  # always: a known address takes as long

    async with db.transaction(SERVICE) as tx:
        if done := await idempotency.find(tx, attempt, ChallengeRead):
            return done
        known = await store.lock_by_email(tx, email)
        holder = await store.find_holder(tx, username) if username else None

        rules.require_free(username, holder, known)

        profile = dict(ask.profile) | {"display_name": rules.display_name(ask.profile)}
        if known is None:
            known = await _register_in(tx, email, profile, now)
        elif rules.replaces(known):
            await _replace_in(tx, known, profile)
        if known is not None and rules.replaces(known):
            await store.set_password(
                tx, known.id, hash=hash, pepper_id=trust.hasher.pepper_id, chars=chars
            )
        opened = await _ask_in(tx, trust, email, known, now)
        await idempotency.keep(tx, attempt, opened)
    return opened


async def _register_in(
    tx: Transaction, email: str, profile: Mapping[str, Any], now: datetime
) -> Account | None:
    """Write a new user with their own organisation, and tell of both.

    Somebody else may have taken the address or the name since we looked: then it is theirs.
    """
    id = ids.new()
    values = {**profile, "id": id, "email": email, "status": "unverified", "version": 1}
    if not await store.add_user(tx, values):
        winner = await store.lock_by_email(tx, email)
        if winner is None:
            raise rules.UsernameTaken
        return winner
    user = await store.read_user(tx, id)
    org = await organisation.found_personal_in(
        tx, id, name=user.display_name, username=user.username, now=now
    )
    told = UserRegistered(
        user_id=id,
        version=user.version,
        username=user.username,
        display_name=user.display_name,
        locale=user.locale,
        marketplace_role=user.marketplace_role,
        account_type=user.account_type,
        personal_org_id=org.id,
        registered_at=now,
    )
    await outbox.publish(tx, told, key_version=user.version)
    return await store.lock_by_email(tx, email)


async def _replace_in(tx: Transaction, known: Account, profile: Mapping[str, Any]) -> None:
    """Let the newer signup of an address that nobody proved replace the older one."""
    before = (await store.lock_user(tx, known.id))._asdict()
    after = await store.set_profile(tx, known.id, profile)
    await _tell_in(tx, before, after)


async def _ask_in(
    tx: Transaction, trust: Trust, email: str, known: Account | None, now: datetime
) -> ChallengeRead:
    """Open the challenge and queue its mail: a code, or the news that there is an account.

    No mail when one went out just now; the answer does not tell.
    """
    assert known is not None
    new = rules.replaces(known)
    challenge, code = await factor.open_in(
        tx, trust.vault, "signup", to=email, user_id=known.id, proves=new, now=now
    )
    if code is None:
        return shown(challenge)
    link = f"{trust.app_url}/verify?challenge={challenge.id}#{code}"
    params = {"code": code, "link": link} if new else {"link": f"{trust.app_url}/login"}
    await message.send_in(
        tx,
        trust.vault,
        "signup_code" if new else "account_exists",
        to=email,
        locale=known.locale,
        user_id=known.id,
        params=params,
        now=now,
        once=f"challenge:{challenge.id}:0",
    )
    return shown(challenge)


async def ask_again_in(
    tx: Transaction, trust: Trust, user_id: UUID, now: datetime
) -> ChallengeRead:
    """Ask an unverified user who knows the password to prove their address."""
    user = await store.lock_user(tx, user_id)
    if fresh := await factor.find_fresh_in(tx, "signup", user_id, now):
        return shown(fresh)
    account = await store.lock_by_email(tx, user.email)
    return await _ask_in(tx, trust, user.email, account, now)


async def locale_in(tx: Transaction, user_id: UUID) -> str:
    """Tell in which language somebody reads."""
    return str((await store.read_user(tx, user_id)).locale)


async def verify_email_in(tx: Transaction, user_id: UUID, now: datetime) -> None:
    """Note that a user's address is theirs: they are active from now on."""
    user = await store.lock_user(tx, user_id)
    if user.status != "unverified":
        return
    complete = rules.is_complete(user._asdict(), verified=True)
    changed = {"status": "active", "email_verified_at": now, "profile_completed": complete}
    await store.set_user(tx, user_id, changed)


async def change_profile(
    db: Database, actor: Actor, changes: Mapping[str, Any], *, version: int | None
) -> Row[Any]:
    """Change the caller's own profile; give all of it.

    Raises UsernameRefused, PreconditionFailed when `version` is not the current one, and
    UsernameTaken.
    """
    assert actor.user_id is not None
    rules.require_username(changes.get("username"))
    async with db.transaction(actor) as tx:
        before = await store.lock_user(tx, actor.user_id)
        if version not in {None, before.version}:
            raise PreconditionFailed(current=before.version)
        wanted = {name: value for name, value in changes.items() if getattr(before, name) != value}
        if not wanted:
            return before

        verified = before.email_verified_at is not None
        complete = rules.is_complete(before._asdict() | wanted, verified=verified)

        after = await store.set_user(tx, before.id, wanted | {"profile_completed": complete})
        await _tell_in(tx, before._asdict(), after)
    return after


async def _tell_in(tx: Transaction, before: Mapping[str, Any], after: Row[Any]) -> None:
    if rules.is_told(before, after._asdict()):
        told = UserProfileChanged(
            user_id=after.id,
            version=after.version,
            username=after.username,
            display_name=after.display_name,
            avatar_url=after.avatar_url,
            locale=after.locale,
        )
        await outbox.publish(tx, told, key_version=after.version)


async def find(db: Database, identifier: str) -> Account | None:
    """Find who signs in as `identifier`, an address or a username."""
    async with db.reading(SERVICE) as tx:
        return await store.find_by_identifier(tx, identifier.strip().lower())


async def rehash(db: Database, user_id: UUID, *, old: str, hash: str) -> None:
    """Keep a password's hash in today's strength."""
    async with db.transaction(SERVICE) as tx:
        await store.set_hash(tx, user_id, old=old, hash=hash)


async def why_not(db: Database, username: str) -> Reason | None:
    """Say why a username cannot be had; None when it can."""
    trouble = rules.username_trouble(username)
    if trouble is not None:
        return trouble
    async with db.reading(SERVICE) as tx:  # usernames of all, so that a taken one is seen
        return "taken" if await store.find_holder(tx, username) else None
