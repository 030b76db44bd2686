"""How a challenge is opened, answered and sent again. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from hazina.problems import Kind, Problem

Purpose = Literal["signup", "login", "second_factor", "contact", "recovery", "reauth", "passkey"]

CODE_DIGITS = 6
ATTEMPTS_MAX = 5
LIVES = timedelta(minutes=10)
RESEND_FIRST_S = 60  # doubles with each
RESENDS_MAX = 5


class ChallengeWrong(Problem, code="challenge.wrong", kind=Kind.UNAUTHENTICATED):
    """That is not the code."""


class ChallengeOver(Problem, code="challenge.over", kind=Kind.GONE):
    """The challenge is unknown, expired, used or exhausted; begin again."""


class ChallengeTooSoon(Problem, code="challenge.too_soon", kind=Kind.SPENT):
    """Another code cannot be sent yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A question as it stands; one without `secret_hash` has no right answer."""

    id: UUID
    purpose: Purpose
    user_id: UUID | None
    channel: Literal["email", "sms", "factor", "passkey"]
    target_enc: bytes | None
    secret_hash: bytes | None
    attempts: int
    resends: int
    resend_at: datetime | None
    expires_at: datetime
    used_at: datetime | None
    wrong_at: datetime | None = None
    mailed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChallengeRead:
    """A question as the asker sees it: the same whether somebody will be asked or not."""

    challenge_id: UUID
    channel: Literal["email", "sms", "factor", "passkey"]
    methods: tuple[Literal["code", "password", "totp", "backup_code", "passkey"], ...]
    expires_at: datetime
    resend_at: datetime | None
    status: Literal["challenge"] = "challenge"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one try to answer."""

    challenge: Challenge
    right: bool
    attempts_left: int


def require_open(challenge: Challenge | None, now: datetime) -> Challenge:
    """Refuse a challenge that can no longer be answered, all reasons alike."""
    if challenge is None or challenge.used_at is not None or now >= challenge.expires_at:
        raise ChallengeOver
    if tries(challenge, now) >= ATTEMPTS_MAX:
        raise ChallengeOver
    return challenge


def tries(challenge: Challenge, now: datetime) -> int:
    """Count the tries that still weigh: all of them, until the last wrong one is `LIVES` ago.

    A challenge takes them over from the one it replaces: else a new challenge would be five new
    guesses. Who is exhausted is not heard, so their block ends `LIVES` after the last wrong try
    however many challenges are opened meanwhile.
    """
    if challenge.wrong_at is None or now >= challenge.wrong_at + LIVES:
        return 0
    return challenge.attempts


def is_quiet(standing: Challenge | None, now: datetime) -> bool:
    """Tell whether the mail about `standing` is too fresh for another one.

    Who signs in again meanwhile is given `standing` itself: the password they gave is the one its
    mail is about, so its code stays good. Who signs up again replaced the password and profile: a
    code mailed for the older ones must not prove the newer, so theirs is a new challenge whose
    code nobody has, until it is sent again.
    """
    if standing is None or standing.mailed_at is None:
        return False
    return now < standing.mailed_at + timedelta(seconds=RESEND_FIRST_S)


def answer(challenge: Challenge, given_hash: bytes, now: datetime) -> Answer:
    """Judge one answer to an open challenge. `given_hash` is the HMAC of what was said."""
    before = tries(challenge, now)
    assert before < ATTEMPTS_MAX
    right = challenge.secret_hash is not None and challenge.secret_hash == given_hash
    return Answer(challenge, right, ATTEMPTS_MAX - before - 1)


def first_resend(now: datetime) -> datetime:
    """Say from when a new challenge's code may be sent again."""
    return now + timedelta(seconds=RESEND_FIRST_S)


def resend(challenge: Challenge, now: datetime) -> datetime | None:
    """Allow another code, or refuse; give from when the next may be sent, None for never."""
    if challenge.resends >= RESENDS_MAX or challenge.resend_at is None:
        raise ChallengeTooSoon(retry_after_s=int((challenge.expires_at - now).total_seconds()))
    if now < challenge.resend_at:
        wait = challenge.resend_at - now
        raise ChallengeTooSoon(retry_after_s=int(wait.total_seconds()) + 1)
    if challenge.resends + 1 == RESENDS_MAX:
        return None
    return now + timedelta(seconds=RESEND_FIRST_S * 2 ** (challenge.resends + 1))


def shown(challenge: Challenge) -> ChallengeRead:
    """Show a challenge to who must answer it."""
    return ChallengeRead(
        challenge.id, challenge.channel, ("code",), challenge.expires_at, challenge.resend_at
    )
