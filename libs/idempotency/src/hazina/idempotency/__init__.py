"""One attempt, one effect: keys, fingerprints, replays."""

from hazina.idempotency.attempt import Attempt, Keyed, KeyedForGood, MayKey
from hazina.idempotency.refusals import InFlight, KeyMalformed, KeyMissing, KeyReused
from hazina.idempotency.store import expire, find, keep
from hazina.idempotency.tables import create_sql, drop_sql

__all__ = [
    "Attempt",
    "InFlight",
    "KeyMalformed",
    "KeyMissing",
    "KeyReused",
    "Keyed",
    "KeyedForGood",
    "MayKey",
    "create_sql",
    "drop_sql",
    "expire",
    "find",
    "keep",
]
