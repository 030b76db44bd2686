"""When a signing key takes over from another. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hazina.problems import Kind, Problem

State = Literal["standby", "active", "retiring", "revoked"]

STANDBY = timedelta(hours=24)  # longer than any cache of the key set, before it signs
ACTIVE = timedelta(days=90)
RETIRING = timedelta(minutes=10)  # longer than any token it signed


class KeyUnknown(Problem, code="signing_key.unknown", kind=Kind.UNKNOWN):
    """There is no such signing key."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair, with its private half sealed."""

    kid: str
    private_enc: bytes
    public: dict[str, str]
    state: State
    state_at: datetime


@dataclass(frozen=True, slots=True)
class Move:
    """A key's change of state; to None it is forgotten."""

    kid: str
    to: State | None


def rotate(keys: Sequence[SigningKey], now: datetime) -> tuple[list[Move], list[State]]:
    """Say which keys change state, in the order to write them, and which new ones are needed.

    There is always exactly one active key and one standby afterwards.
    """
    by_state = {key.state: key for key in keys}
    active, standby = by_state.get("active"), by_state.get("standby")
    moves = list(_forget(keys, now))
    ripe = standby is not None and now - standby.state_at >= STANDBY
    needed: list[State] = []
    if active is None and standby is not None:
        moves.append(Move(standby.kid, "active"))
        standby = None
    elif active is None:
        needed.append("active")
    elif ripe and standby is not None and now - active.state_at >= ACTIVE:
        moves += [Move(active.kid, "retiring"), Move(standby.kid, "active")]
        standby = None
    if standby is None:
        needed.append("standby")
    return moves, needed


def _forget(keys: Sequence[SigningKey], now: datetime) -> Iterator[Move]:
    for key in keys:
        if key.state == "retiring" and now - key.state_at >= RETIRING:
            yield Move(key.kid, None)


def require_known(keys: Sequence[SigningKey], kid: str) -> None:
    """Refuse a key that is not there."""
    if not any(key.kid == kid for key in keys):
        raise KeyUnknown


def published(keys: Sequence[SigningKey]) -> dict[str, list[dict[str, str]]]:
    """Give the JWK set of every key that may verify a token, now or tomorrow."""
    shown = [key.public for key in keys if key.state != "revoked"]
    return {"keys": sorted(shown, key=lambda jwk: jwk["kid"])}
