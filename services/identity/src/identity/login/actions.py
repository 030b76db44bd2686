"""What can be done to sign in: give a password, answer a challenge, have it sent again."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hazina import idempotency
from hazina.idempotency import Attempt
from hazina.pg import SERVICE, Database, Transaction
from identity.account import actions as account
from identity.account.rules import Account
from identity.factor import actions as factor
from identity.factor.rules import Answer, ChallengeRead, ChallengeWrong, shown
from identity.login import rules, store
from identity.login.rules import CredentialsInvalid
from identity.message import actions as message
from identity.session import actions as session
from identity.session.actions import SealedTokens
from identity.session.rules import Origin, TokenSet
from identity.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an attempt to sign in came to, as it is kept."""

    tokens: SealedTokens | None = None
    challenge: ChallengeRead | None = None
    attempts_left: int | None = None

    def read(self, trust: Trust, attempt: Attempt) -> TokenSet | ChallengeRead:
        """Give what the attempt made, or say no as it did."""
        if self.tokens is not None:
            return session.unseal(trust, self.tokens, attempt)
        if self.challenge is not None:
            return self.challenge
        raise ChallengeWrong(attempts_left=self.attempts_left)


async def log_in(
    db: Database,
    trust: Trust,
    *,
    identifier: str,
    password: str,
    origin: Origin,
    attempt: Attempt,
    now: datetime,
) -> TokenSet | ChallengeRead:
    """Sign somebody in by password; who never proved their address is asked to do that first.

    Raises Busy, CredentialsInvalid (unknown, wrong and locked are the same, and take the same
    time), AccountSuspended, AccountBanned.
    """
    await trust.ring.refresh()
    known = await account.find(db, identifier)
    async with db.reading(SERVICE) as tx:
        device = await session.find_device_in(tx, trust.vault, known.id, origin) if known else None
        subject = trust.vault.mark("throttle", *rules.guessed(identifier, known, device))
        locked = rules.is_locked(await store.find_throttle(tx, subject), now)
    kept = None if known is None or locked else known.password_hash
    # Outside any transaction: a hash takes as long as fifty of them. Locked, it is a decoy.
    right = await trust.hasher.matches(kept, password)
    trust.conceal(attempt, "password", "device_token")

    if known is None or not right:
        if not locked:
            await _count_failure(db, subject, now)
        raise CredentialsInvalid
    await _rehash(db, trust, known, password)
    async with db.transaction(SERVICE) as tx:
        if done := await idempotency.find(tx, attempt, Outcome):
            return done.read(trust, attempt)
        await store.remove_throttle(tx, subject)
        if known.status == "unverified":
            asked = await account.ask_again_in(tx, trust, known.id, now)
            await idempotency.keep(tx, attempt, Outcome(challenge=asked))
            return asked
        made = await session.open_in(tx, trust, known.id, amr=["pwd"], origin=origin, now=now)
        if made.device_token is not None:
            await _tell_of_device_in(tx, trust, known, made, now)
        await idempotency.keep(tx, attempt, Outcome(tokens=session.seal(trust, made, attempt)))
        return made


async def _tell_of_device_in(
    tx: Transaction, trust: Trust, known: Account, made: TokenSet, now: datetime
) -> None:
    """Tell somebody by mail that they, or somebody else, signed in from a new device."""
    assert known.email is not None
    await message.send_in(
        tx,
        trust.vault,
        "new_device",
        to=known.email,
        locale=known.locale,
        user_id=known.id,
        params={"link": f"{trust.app_url}/security"},
        now=now,
        once=f"new_device:{made.session_id}",
    )


async def _count_failure(db: Database, subject: bytes, now: datetime) -> None:
    async with db.transaction(SERVICE) as tx:
        throttle = await store.find_throttle(tx, subject, hold=True)
        await store.set_throttle(tx, subject, rules.fail(throttle, now))


async def _rehash(db: Database, trust: Trust, known: Account, password: str) -> None:
    """Make the hash again when its parameters are no longer today's."""
    old = known.password_hash
    if old is not None and trust.hasher.outdated(old):
        await account.rehash(db, known.id, old=old, hash=await trust.hasher.hash(password))


async def answer(
    db: Database,
    trust: Trust,
    challenge_id: UUID,
    code: str,
    *,
    origin: Origin,
    attempt: Attempt,
    now: datetime,
) -> TokenSet:
    """Take the answer to a challenge: the right one is taken once, and signs in.

    Raises ChallengeOver, ChallengeWrong, AccountSuspended, AccountBanned.
    """
    await trust.ring.refresh()
    trust.conceal(attempt, "code", "device_token")
    async with db.transaction(SERVICE) as tx:
        done = await idempotency.find(tx, attempt, Outcome)
        if done is None:
            judged = await factor.answer_in(tx, trust.vault, challenge_id, code, now)
            done = await _outcome_in(tx, trust, judged, origin, attempt, now=now)
            await idempotency.keep(tx, attempt, done)
    made = done.read(trust, attempt)
    assert isinstance(made, TokenSet)
    return made


async def _outcome_in(
    tx: Transaction,
    trust: Trust,
    judged: Answer,
    origin: Origin,
    attempt: Attempt,
    *,
    now: datetime,
) -> Outcome:
    """Sign in who gave the right answer; a wrong one is an outcome too, and is committed."""
    if not judged.right:
        return Outcome(attempts_left=judged.attempts_left)
    user_id = judged.challenge.user_id
    assert user_id is not None, "nobody's challenge has no right answer"
    await account.verify_email_in(tx, user_id, now)
    made = await session.open_in(tx, trust, user_id, amr=["otp", "email"], origin=origin, now=now)
    return Outcome(tokens=session.seal(trust, made, attempt))


async def resend(
    db: Database, trust: Trust, challenge_id: UUID, attempt: Attempt, *, now: datetime
) -> ChallengeRead:
    """Send another code, which replaces the last; raises ChallengeOver, ChallengeTooSoon."""
    async with db.transaction(SERVICE) as tx:
        if done := await idempotency.find(tx, attempt, ChallengeRead):
            return done
        challenge, code, to = await factor.renew_in(tx, trust.vault, challenge_id, now)
        if challenge.user_id is not None and challenge.secret_hash is not None:
            link = f"{trust.app_url}/verify?challenge={challenge.id}#{code}"
            await message.send_in(
                tx,
                trust.vault,
                "signup_code",
                to=to,
                locale=await account.locale_in(tx, challenge.user_id),
                user_id=challenge.user_id,
                params={"code": code, "link": link},
                now=now,
                once=f"challenge:{challenge.id}:{challenge.resends}",
            )
        renewed = shown(challenge)
        await idempotency.keep(tx, attempt, renewed)
        return renewed
