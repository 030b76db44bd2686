"""Who may sign up as whom, with which password, and what a profile may say. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal
from uuid import UUID

from hazina.problems import Kind, Problem
from identity.organisation.rules import RESERVED, Reason

PASSWORD_MIN, PASSWORD_MAX = 15, 256  # code points, after NFKC
NAME_IN_PASSWORD_MIN = 4  # shorter names are in half of all sentences
USERNAME = re.compile(r"[a-z0-9_]{3,30}", re.ASCII)
# Enough to send a mail to; whether it arrives only the mail tells.
EMAIL = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*",
    re.ASCII,
)
EMAIL_LENGTH_MAX = 200
DISPLAY_NAME_DEFAULT = "Member"
# What others show of a user: a change of it is told.
TOLD: Final = ("username", "display_name", "avatar_url", "locale")


class AccountUnknown(Problem, code="account.unknown", kind=Kind.UNKNOWN):
    """There is no such account."""


class UsernameTaken(Problem, code="account.username_taken", kind=Kind.CONFLICT):
    """That username belongs to somebody else."""


class UsernameRefused(Problem, code="account.username_refused", kind=Kind.INVALID):
    """That cannot be a username: 3 to 30 of a-z, 0-9 and _, and no reserved word."""


class EmailRefused(Problem, code="account.email_refused", kind=Kind.INVALID):
    """That is not a mail address."""


class PasswordTooShort(Problem, code="password.too_short", kind=Kind.INVALID):
    """A password has at least 15 characters; a few words make a good one."""


class PasswordTooLong(Problem, code="password.too_long", kind=Kind.INVALID):
    """A password has at most 256 characters."""


class PasswordContainsIdentity(Problem, code="password.contains_identity", kind=Kind.INVALID):
    """A password may not contain your name or address."""


class PasswordCommon(Problem, code="password.common", kind=Kind.INVALID):
    """That password is among the first that anybody tries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """So much of a user as signing up and signing in decide by."""

    id: UUID
    username: str | None
    display_name: str
    email: str | None
    locale: str
    status: Literal["unverified", "active", "suspended", "banned", "erasing", "erased"]
    version: int
    password_hash: str | None = None


def normalise_email(text: str) -> str:
    """Write an address the one way, or refuse what is none."""
    email = text.strip().lower()
    if len(email) > EMAIL_LENGTH_MAX or not EMAIL.fullmatch(email):
        raise EmailRefused
    return email


def username_trouble(username: str) -> Reason | None:
    """Say what is wrong with a username by itself; whether it is taken only the table knows."""
    if not USERNAME.fullmatch(username):
        return "invalid"
    return "reserved" if username in RESERVED else None


def require_username(username: str | None) -> None:
    """Refuse a username that nobody can have; to have none is fine."""
    if username is not None and (reason := username_trouble(username)):
        raise UsernameRefused(reason=reason)


def require_password(password: str, *, own: Mapping[str, str | None]) -> int:
    """Refuse a weak password by the first broken rule; give its length in code points.

    `own` are the names and addresses of who chooses it.
    """
    written = unicodedata.normalize("NFKC", password)
    if len(written) < PASSWORD_MIN:
        raise PasswordTooShort(min_chars=PASSWORD_MIN)
    if len(written) > PASSWORD_MAX:
        raise PasswordTooLong(max_chars=PASSWORD_MAX)
    folded = written.casefold()
    if _repeats(folded):
        raise PasswordCommon
    for name in own.values():
        part = (name or "").partition("@")[0].casefold()
        if len(part) >= NAME_IN_PASSWORD_MIN and part in folded:
            raise PasswordContainsIdentity
    return len(written)


def _repeats(text: str) -> bool:
    """Tell whether a text is a short one said again and again, or a run along the alphabet."""
    if text in (text + text)[1:-1]:
        return True
    steps = {ord(b) - ord(a) for a, b in pairwise(text)}
    return steps in ({1}, {-1})


def display_name(profile: Mapping[str, Any]) -> str:
    """Give the name that others see of somebody who chose none."""
    for name in ("display_name", "first_name", "username"):
        if profile.get(name):
            return str(profile[name])
    return DISPLAY_NAME_DEFAULT


def is_complete(profile: Mapping[str, Any], *, verified: bool) -> bool:
    """Tell whether a profile says who somebody is and how to reach them."""
    return verified and all(profile.get(name) for name in ("username", "first_name", "last_name"))


def is_told(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Tell whether a change is one that others show."""
    return any(before[name] != after[name] for name in TOLD)


def replaces(known: Account | None) -> bool:
    """Tell whether a new signup takes the place of one whose address was never proved."""
    return known is not None and known.status == "unverified"


def require_free(username: str | None, holder: UUID | None, known: Account | None) -> None:
    """Refuse a username that somebody holds, unless the signup that it replaces holds it.

    A verified owner of the address is told it is taken like anybody else: otherwise the answer
    would say which username belongs to which address.
    """
    if username is None or holder is None:
        return
    if known is not None and replaces(known) and holder == known.id:
        return
    raise UsernameTaken
