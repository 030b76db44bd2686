"""Identifiers that sort by the time they were made (UUIDv7, RFC 9562), all from here."""

from uuid import NAMESPACE_URL, UUID, uuid5

import uuid_utils.compat as uuid_utils


def new() -> UUID:
    """Make an id that sorts after every id this process made before it."""
    return uuid_utils.uuid7()


def derived(*parts: object) -> UUID:
    """Make the one id (UUIDv5) that these parts always give: a retry finds the same row."""
    return uuid5(NAMESPACE_URL, "hazina:" + "\x1f".join(map(str, parts)))
