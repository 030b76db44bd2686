"""How guessing is slowed, and what a sign-in must bring. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from hazina.problems import Kind, Problem
from identity.account.rules import Account

FREE = 5  # failures in a row that cost nothing: people do mistype
LOCK_MAX_S = 900
FORGET = timedelta(hours=12)
CLOSE_AT = 100  # NIST SP 800-63B: then the password way is closed until a recovery


class CredentialsInvalid(Problem, code="auth.invalid_credentials", kind=Kind.UNAUTHENTICATED):
    """Nobody signs in with that name and password at this moment."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """How often somebody was guessed in a row."""

    failures: int
    last_failure_at: datetime
    locked_until: datetime | None


def guessed(
    identifier: str, known: Account | None, device_id: UUID | None
) -> tuple[str, object, object]:
    """Say whose failures are counted together.

    A device that somebody signed in from has a count of its own, so that who guesses elsewhere
    cannot lock it out; a name and an address of one account share theirs.
    """
    if known is None:
        return "name", identifier.strip().lower(), ""
    if device_id is None:
        return "account", known.id, ""
    return "device", known.id, device_id


def is_locked(throttle: Throttle | None, now: datetime) -> bool:
    """Tell whether passwords are not even looked at now."""
    if throttle is None or _is_forgotten(throttle, now):
        return False
    if throttle.failures >= CLOSE_AT:
        return True
    return throttle.locked_until is not None and now < throttle.locked_until


def fail(throttle: Throttle | None, now: datetime) -> Throttle:
    """Count one more failure: the n-th in a row locks for 2 to the power of n - 5 seconds."""
    before = 0 if throttle is None or _is_forgotten(throttle, now) else throttle.failures
    failures = before + 1
    if failures <= FREE:
        return Throttle(failures, now, None)
    # The power is cut before it is raised: a hundred failures would make a hundred-bit number.
    lock_s = min(2 ** min(failures - FREE, 10), LOCK_MAX_S)
    return Throttle(failures, now, now + timedelta(seconds=lock_s))


def _is_forgotten(throttle: Throttle, now: datetime) -> bool:
    return throttle.failures < CLOSE_AT and now - throttle.last_failure_at >= FORGET
