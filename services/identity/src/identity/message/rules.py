"""What our mails say, in the reader's language, and when a try is the last. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

Channel = Literal["email", "sms"]
Template = Literal["signup_code", "account_exists", "session_stolen", "new_device"]

TRIES_MAX = 8
LEASE = timedelta(seconds=30)
RETRY_FIRST_S = 2
RETRY_MAX_S = 300

# (template, locale) → subject, text. {name}s are parameters.
TEXTS: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("signup_code", "en"): (
        "Your Hazina code: {code}",
        (
            "Your code is {code}. It works for 10 minutes.\n\nOr open {link}\n\n"
            "If you did not ask for it, somebody typed your address by mistake; do nothing.\n"
        ),
    ),
    ("signup_code", "sw"): (
        "Msimbo wako wa Hazina: {code}",
        (
            "Msimbo wako ni {code}. Unafanya kazi kwa dakika 10.\n\nAu fungua {link}\n\n"
            "Kama hukuuomba, mtu aliandika anwani yako kwa makosa; usifanye chochote.\n"
        ),
    ),
    ("account_exists", "en"): (
        "You already have a Hazina account",
        (
            "Somebody, perhaps you, tried to sign up with this address. You already have an "
            "account: sign in, or recover your password, at {link}\n"
        ),
    ),
    ("account_exists", "sw"): (
        "Tayari una akaunti ya Hazina",
        (
            "Mtu, labda wewe, amejaribu kujisajili kwa anwani hii. Tayari una akaunti: ingia, au "
            "rejesha nenosiri lako, kwenye {link}\n"
        ),
    ),
    ("session_stolen", "en"): (
        "We signed out one of your devices",
        (
            "A sign-in of yours was used from two places at once, so we ended it. If that was not "
            "you, change your password at {link}\n"
        ),
    ),
    ("session_stolen", "sw"): (
        "Tumeondoa kifaa chako kimoja",
        (
            "Kuingia kwako kumetumika sehemu mbili kwa wakati mmoja, kwa hiyo tumekufunga. Kama si "
            "wewe, badilisha nenosiri lako kwenye {link}\n"
        ),
    ),
    ("new_device", "en"): (
        "You signed in from a new device",
        (
            "Somebody signed in to your Hazina account from a device we did not know. If that was "
            "not you, end its session and change your password at {link}\n"
        ),
    ),
    ("new_device", "sw"): (
        "Umeingia kwa kifaa kipya",
        (
            "Mtu ameingia kwenye akaunti yako ya Hazina kwa kifaa tusichokijua. Kama si wewe, "
            "mtoe na ubadilishe nenosiri lako kwenye {link}\n"
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one person."""

    id: UUID
    user_id: UUID | None
    channel: Channel
    to: str
    template: Template
    locale: str
    params: Mapping[str, str]
    dedupe_key: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as it is handed over."""

    id: UUID
    to: str
    subject: str
    text: str


def render(message: Message) -> Mail:
    """Write a message in its reader's language."""
    subject, text = TEXTS[message.template, message.locale]
    return Mail(
        message.id, message.to, subject.format(**message.params), text.format(**message.params)
    )


def next_try(attempts: int, now: datetime) -> datetime | None:
    """Say when to try again after `attempts` failures; None when it was the last try."""
    if attempts >= TRIES_MAX:
        return None
    return now + timedelta(seconds=min(RETRY_FIRST_S**attempts, RETRY_MAX_S))


def mask(address: str) -> str:
    """Show so much of an address that staff can tell two apart, and no more."""
    name, at, host = address.rpartition("@")
    return f"{name[:1]}***{at}{host}"
