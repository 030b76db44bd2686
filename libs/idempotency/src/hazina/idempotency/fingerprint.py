"""Telling two requests apart field by field, without keeping what they held."""

import hashlib
import hmac
from collections.abc import Iterator, Mapping

import msgspec

FIELDS_MAX = 256  # a larger body is told apart by its outermost fields only
DIGEST_BYTES = 8  # a field that differs goes unnoticed once in 2**64


def take(key: bytes, request: Mapping[str, object]) -> dict[str, str]:
    """Digest every leaf of `request`, named by its JSON pointer.

    The digests are keyed with the caller's own Idempotency-Key, which is not stored: who reads
    the table cannot try passwords against them.
    """
    leaves = dict(_bounded(request))
    return {pointer: _digest(key, pointer, value) for pointer, value in leaves.items()}


def first_difference(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """Name the first field of `now` that differs, else the first that is no longer there."""
    for pointer, digest in now.items():
        if before.get(pointer) != digest:
            return pointer
    return next((pointer for pointer in before if pointer not in now), None)


def _bounded(request: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    leaves: list[tuple[str, object]] = []
    for leaf in _leaves(request, "") if request else ():
        leaves.append(leaf)
        if len(leaves) > FIELDS_MAX:
            return iter([(f"/{_escape(name)}", value) for name, value in request.items()])
    return iter(leaves)


def _leaves(value: object, pointer: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            yield from _leaves(part, f"{pointer}/{_escape(str(name))}")
    elif isinstance(value, list) and value:
        for index, part in enumerate(value):
            yield from _leaves(part, f"{pointer}/{index}")
    else:
        yield pointer, value


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _digest(key: bytes, pointer: str, value: object) -> str:
    said = pointer.encode() + b"\x00" + msgspec.json.encode(value, order="deterministic")
    return hmac.digest(key, said, hashlib.sha256)[:DIGEST_BYTES].hex()
