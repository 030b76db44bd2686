"""Tests stay on this machine: a connection to anywhere else is refused."""

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAMES = frozenset({"localhost", ""})


class StrayedAway(AssertionError):
    """A test connected to another machine."""


class _Door:
    installed = False
    open = False


def stay() -> None:
    """Watch every connection that Python code makes from now on."""
    if not _Door.installed:  # an audit hook cannot be taken away again
        sys.addaudithook(_watch)
        _Door.installed = True


@contextmanager
def may_leave(*, allowed: bool) -> Iterator[None]:
    """Look away for a while, where a test has a reason to."""
    before, _Door.open = _Door.open, allowed
    try:
        yield
    finally:
        _Door.open = before


def is_home(host: str) -> bool:
    """Tell whether `host` is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in NAMES


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect" or _Door.open:
        return
    address = arguments[1]
    if isinstance(address, tuple) and not is_home(str(address[0])):
        raise StrayedAway(f"a test may not connect to {address[0]}")
