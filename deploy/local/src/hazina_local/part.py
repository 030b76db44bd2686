"""How one part of the house stands, and when it is started again."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

RESTART_WAIT_S = 0.2
RESTART_WAIT_S_MAX = 30.0


class Stand(StrEnum):
    """How a part stands."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"


@dataclass
class Part:
    """One part of the house, as it is shown."""

    name: str
    port: int
    stand: Stand = Stand.WAITING
    pid: int | None = None
    detail: str = ""
    ready_after_s: float | None = None
    restarts: int = 0


def restart_wait_s(in_a_row: int) -> float:
    """Wait before the n-th restart in a row, in seconds: at once, then doubling to a limit."""
    return 0.0 if in_a_row == 0 else min(RESTART_WAIT_S * 2**in_a_row, RESTART_WAIT_S_MAX)


async def answers(port: int, path: str) -> bool:
    """Whether a service on 127.0.0.1 answers 200 there."""
    try:
        reading, writing = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writing.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        line = await reading.readline()
    except OSError:
        return False
    finally:
        writing.close()
    return b" 200 " in line
