"""As whom PostgreSQL runs: it refuses root, so root lends it another face."""

import functools
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from hazina.embedded.prologue import NOBODY
from hazina.embedded.trouble import Trouble

PROLOGUE = Path(__file__).with_name("prologue.py")


class Guise(Enum):
    """The three ways to run a program that refuses root."""

    PLAIN = "plain"  # we are not root: nothing to do
    NAMESPACE = "namespace"  # root, seen as nobody inside a user namespace; files stay root's
    SWITCH = "switch"  # root gives the data folder to nobody and becomes nobody


@functools.cache
def guise() -> Guise:
    """Choose the way that works here; `HAZINA_PG_GUISE` overrides the choice."""
    if chosen := os.environ.get("HAZINA_PG_GUISE"):
        return Guise(chosen)
    _check_passwd()
    if os.geteuid() != 0:
        return Guise.PLAIN
    return Guise.NAMESPACE if _namespaces_work() else Guise.SWITCH


def prologue(guise: Guise, end_signal: signal.Signals, command: Sequence[str]) -> list[str]:
    """Give the command that changes its face, binds its life to ours and becomes `command`."""
    interpreter = [sys.executable, "-I", "-S", str(PROLOGUE)]
    return [*interpreter, guise.value, str(os.getpid()), str(int(end_signal)), *command]


def reachable_by_nobody(path: Path) -> bool:
    """Whether every folder above `path`, and `path` itself, may be entered by anybody."""
    return all(step.stat().st_mode & 0o001 for step in (path, *path.parents))


def give_to_nobody(path: Path) -> None:
    """Make nobody the owner of `path` and of everything in it."""
    os.chown(path, NOBODY, NOBODY)
    for inside in path.rglob("*"):
        os.chown(inside, NOBODY, NOBODY, follow_symlinks=False)


def _check_passwd() -> None:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise Trouble(
            f"user id {os.geteuid()} has no entry in /etc/passwd, which PostgreSQL needs; "
            "run as a user who has one, or as root"
        ) from None


def _namespaces_work() -> bool:
    try:
        subprocess.run(
            prologue(Guise.NAMESPACE, signal.SIGTERM, [sys.executable, "-S", "-c", ""]),
            check=True,
            capture_output=True,
        )
    except (subprocess.SubprocessError, OSError):
        return False
    return True
