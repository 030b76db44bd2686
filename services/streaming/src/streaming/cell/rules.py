"""Which cell a stream is in, and whether a lease may still be trusted. Pure."""

from dataclasses import dataclass
from uuid import UUID
from zlib import crc32

from hazina.problems import Unavailable

CELLS = 64
LEASE_S = 10  # how long a lease lasts that nobody renews
RENEW_S = 3
TRUST_S = 8  # after this long without a renewal the owner decides nothing more


class LeaseLost(Unavailable):
    """Another process owns the cell by now, or this one cannot be sure that none does."""

    def __init__(self, cells: frozenset[int]) -> None:
        super().__init__("the stream is changing hands")
        self.cells = cells


@dataclass(frozen=True, slots=True)
class Held:
    """A cell that this process owns."""

    cell: int
    epoch: int


def cell_of(stream_id: UUID) -> int:
    """Give the cell of a stream and of all its boxes."""
    return crc32(stream_id.bytes) % CELLS


def trusted(renewed_at: float, now: float) -> bool:
    """Tell whether a lease renewed at `renewed_at` is still surely ours (monotonic seconds)."""
    return now - renewed_at <= TRUST_S
