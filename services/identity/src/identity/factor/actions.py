"""What can be done with a challenge: open it, answer it, have it sent again."""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from hazina import ids
from hazina.pg import SERVICE, Database, Transaction
from identity.factor import rules, store
from identity.factor.rules import Answer, Challenge, Purpose
from identity.vault import Vault

KEPT = timedelta(hours=1)  # after it is over, so that a late answer hears a plain 410


def _code() -> str:
    return f"{secrets.randbelow(10**rules.CODE_DIGITS):0{rules.CODE_DIGITS}d}"


def _place(id: UUID) -> str:
    return f"challenges:{id}"


async def open_in(
    tx: Transaction,
    vault: Vault,
    purpose: Purpose,
    *,
    to: str,
    user_id: UUID,
    proves: bool,
    now: datetime,
) -> tuple[Challenge, str | None]:
    """Open a challenge in place of the user's last one, whose wrong tries it takes over.

    Give it and the code to send; None when the last mail is too fresh for another one. One that
    does not prove anything looks like any other, and no code answers it. Hold the user meanwhile.
    """
    last = await store.lock_standing(tx, user_id, purpose)
    if last is not None:
        await store.close_challenge(tx, last.id, now)
    quiet = rules.is_quiet(last, now)
    id, code = ids.new(), _code()
    made = Challenge(
        id=id,
        purpose=purpose,
        user_id=user_id,
        channel="email",
        target_enc=vault.seal(to.encode(), place=_place(id)),
        secret_hash=vault.mark("challenge", id, code) if proves else None,
        attempts=rules.tries(last, now) if last else 0,
        resends=0,
        resend_at=rules.first_resend(now),
        expires_at=now + rules.LIVES,
        used_at=None,
        wrong_at=last.wrong_at if last else None,
        mailed_at=last.mailed_at if last and quiet else now,
    )
    await store.add_challenge(tx, made)
    return made, None if quiet else code


async def find_fresh_in(
    tx: Transaction, purpose: Purpose, user_id: UUID, now: datetime
) -> Challenge | None:
    """Read the challenge that a user was asked by mail just now, if they were."""
    last = await store.lock_standing(tx, user_id, purpose)
    return last if rules.is_quiet(last, now) else None


async def answer_in(tx: Transaction, vault: Vault, id: UUID, code: str, now: datetime) -> Answer:
    """Judge and note one answer. A wrong one must be committed too: it counts.

    Raises ChallengeOver.
    """
    challenge = rules.require_open(await store.lock_challenge(tx, id), now)
    judged = rules.answer(challenge, vault.mark("challenge", id, code), now)
    used_at, wrong_at = (now, challenge.wrong_at) if judged.right else (None, now)
    attempts = rules.tries(challenge, now) + 1
    await store.set_answered(tx, id, attempts=attempts, used_at=used_at, wrong_at=wrong_at)
    return judged


async def renew_in(
    tx: Transaction, vault: Vault, id: UUID, now: datetime
) -> tuple[Challenge, str, str]:
    """Put a new code in place of the old one; give the challenge, the code and where to send it.

    Raises ChallengeOver, ChallengeTooSoon.
    """
    challenge = rules.require_open(await store.lock_challenge(tx, id), now)
    resend_at, code = rules.resend(challenge, now), _code()
    assert challenge.target_enc is not None
    known = challenge.secret_hash is not None
    await store.set_resent(
        tx,
        id,
        secret_hash=vault.mark("challenge", id, code) if known else None,
        resend_at=resend_at,
        expires_at=now + rules.LIVES,
        mailed_at=now,
    )
    renewed = rules.require_open(await store.lock_challenge(tx, id), now)
    return renewed, code, vault.open(challenge.target_enc, place=_place(id)).decode()


async def expire(db: Database, now: datetime) -> int:
    """Forget challenges that were over an hour ago; give how many."""
    async with db.transaction(SERVICE) as tx:
        return await store.remove_expired(tx, now - KEPT)
