"""What a wallet is and what it may be called. Pure: no clock, no database, no chance."""

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from hazina.problems import Kind, Problem

HANDLE = re.compile(r"[a-z0-9_.]{3,50}")
TOMBSTONE = timedelta(days=90)  # how long a handle rests after it was given up

# Whether one party alone can move what is in a wallet, by its type.
SIGNS_ALONE: Final[dict[str, Literal["server", "user", "nobody"]]] = {
    "custodial": "server",
    "hybrid": "nobody",
    "self_custody": "user",
}


class WalletUnknown(Problem, code="wallet.unknown", kind=Kind.UNKNOWN):
    """There is no such wallet, or not for you."""


class HandleUnknown(Problem, code="handle.unknown", kind=Kind.UNKNOWN):
    """Nobody has that handle."""


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet as it is opened."""

    id: UUID
    user_id: UUID | None
    org_id: UUID | None
    handle: str
    chain: str
    wallet_address: str
    wallet_type: str
    key_scheme: str
    is_primary: bool


@dataclass(frozen=True, slots=True)
class Handled:
    """A primary wallet, as far as its handle may change."""

    id: UUID
    user_id: UUID
    handle: str | None


@dataclass(frozen=True, slots=True)
class Rename:
    """Another handle for a wallet; the one before rests until `rests_until`."""

    wallet_id: UUID
    handle: str
    before: str | None
    rests_until: datetime


def named(username: str | None) -> str | None:
    """Give the handle that a username makes; None where it makes none."""
    handle = (username or "").lower()
    return handle if HANDLE.fullmatch(handle) else None


def stand_ins(user_id: UUID) -> tuple[str, str]:
    """Give the handles of somebody without a usable username; the second if the first is taken.

    The second cannot be: nobody else has the whole of the id.
    """
    return f"u_{user_id.hex[-12:]}", f"u_{user_id.hex}"


def choose(username: str | None, user_id: UUID, taken: Container[str]) -> str:
    """Give the handle for a new primary wallet: the username if it is free, else a stand-in."""
    short, whole = stand_ins(user_id)
    wanted = named(username)
    if wanted is not None and wanted not in taken:
        return wanted
    return short if short not in taken else whole


def rename(
    wallet: Handled, before: str | None, after: str | None, *, taken: Container[str], now: datetime
) -> Rename | None:
    """Follow a username that changed from `before` to `after`; None when the handle stays.

    A handle that its owner chose is theirs, and one that is taken or rests is not given.
    """
    ours = {named(before), None, *stand_ins(wallet.user_id)}
    wanted = named(after)
    if wanted is None or wanted == wallet.handle or wallet.handle not in ours or wanted in taken:
        return None
    return Rename(wallet.id, wanted, wallet.handle, now + TOMBSTONE)
