"""What a child does before it becomes its program; run as a script by a bare interpreter.

Between fork and exec this could not be done: libraries of the parent may start threads in the
forked child (OpenTelemetry does), and the kernel gives a user namespace to a single thread only.
"""

import ctypes
import os
import sys
from pathlib import Path

NOBODY = 65534
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1


def enter_namespace() -> None:
    """Become nobody inside a new user namespace.

    Raises OSError where the kernel or a container's seccomp profile refuses it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} 0 1"),
        ("gid_map", f"{NOBODY} 0 1"),
    ):
        Path("/proc/self", name).write_text(text)


def become_nobody() -> None:
    """Give root's rights up for nobody's."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def die_with(parent: int, end_signal: int) -> None:
    """Have the kernel send `end_signal` when the parent dies; end at once if it has."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, end_signal)
    if os.getppid() != parent:
        sys.exit(1)


def main(guise: str, parent: str, end_signal: str, *command: str) -> None:
    """Change the face, bind this life to the parent's, and become the program."""
    if guise == "namespace":
        enter_namespace()
    elif guise == "switch":
        become_nobody()
    # After the change of user, which would clear it.
    if sys.platform == "linux":
        die_with(int(parent), int(end_signal))
    os.execv(command[0], command)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as refused:
        sys.exit(f"FATAL: it could not be started as {sys.argv[1]}: {refused}")
