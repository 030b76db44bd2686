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
    user_id: UUID | None,
    now: datetime,
) -> tuple[Challenge, str]:
    """Open a challenge by mail, closing the user's older ones; give it and the code to send.

    Without `user_id` it is one that no code answers, and looks like any other.
    """
    if user_id is not None:
        await store.close_challenges(tx, user_id, now)
    id, code = ids.new(), _code()
    made = Challenge(
        id=id,
        purpose=purpose,
        user_id=user_id,
        channel="email",
        target_enc=vault.seal(to.encode(), place=_place(id)),
        secret_hash=None if user_id is None else vault.mark("challenge", id, code),
        attempts=0,
        resends=0,
        resend_at=rules.first_resend(now),
        expires_at=now + rules.LIVES,
        used_at=None,
    )
    await store.add_challenge(tx, made)
    return made, code


async def answer_in(tx: Transaction, vault: Vault, id: UUID, code: str, now: datetime) -> Answer:
    """Judge and note one answer. A wrong one must be committed too: it counts.

    Raises ChallengeOver.
    """
    challenge = rules.require_open(await store.lock_challenge(tx, id), now)
    judged = rules.answer(challenge, vault.mark("challenge", id, code))
    used_at = now if judged.right else None
    await store.set_answered(tx, id, attempts=challenge.attempts + 1, used_at=used_at)
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
    )
    renewed = rules.require_open(await store.lock_challenge(tx, id), now)
    return renewed, code, vault.open(challenge.target_enc, place=_place(id)).decode()


async def expire(db: Database, now: datetime) -> int:
    """Forget challenges that were over an hour ago; give how many."""
    async with db.transaction(SERVICE) as tx:
        return await store.remove_expired(tx, now - KEPT)
