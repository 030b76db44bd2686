"""What a process does with cells: claim, renew, decide under a fence, give back."""

import asyncio
from collections.abc import Callable, Iterable
from os import getpid
from socket import gethostname
from uuid import UUID

from hazina import ids
from hazina.pg import SERVICE, Database, Transaction
from streaming.cell import rules, store
from streaming.cell.rules import Held, LeaseLost


class Cells:
    """The cells this process owns, and the boxes in them that somebody changed.

    `monotonic` gives seconds that never go back; leases are trusted by it alone.
    """

    def __init__(self, replica: str, monotonic: Callable[[], float]) -> None:
        """Own nothing yet."""
        self.replica = replica
        self.held: dict[int, Held] = {}
        self._monotonic = monotonic
        self._began_at = monotonic()
        self._renewed_at = float("-inf")
        self._changed: set[UUID] = set()
        self.stirred = asyncio.Event()

    @property
    def trusted(self) -> bool:
        """Whether what we hold is still surely ours."""
        return rules.trusted(self._renewed_at, self._monotonic())

    @property
    def age_s(self) -> float:
        """For how many seconds this process has been there to hear anything."""
        return self._monotonic() - self._began_at

    def owns(self, cell: int) -> bool:
        """Tell whether this process decides about the cell."""
        return cell in self.held and self.trusted

    async def renew(self, db: Database, *, ready: Iterable[int]) -> set[int]:
        """Prolong the leases and claim free cells; give those that must be loaded anew.

        A cell is new to us when its epoch is, or when we were silent for so long that its state
        here may be old.
        """
        asked_at = self._monotonic()
        trusted = self.trusted
        async with db.transaction(SERVICE) as tx:
            await store.note_replica(tx, self.replica)
            held = await store.renew_leases(tx, self.replica, ready=sorted(ready))
            # Every cell that is free: a second process stands by until it can be reached from here.
            held |= await store.claim_leases(tx, self.replica)
        fresh = {
            cell for cell, lease in held.items() if not trusted or self.held.get(cell) != lease
        }
        self.held = held
        self._renewed_at = asked_at
        return fresh

    async def release(self, db: Database) -> None:
        """Give all cells back."""
        async with db.transaction(SERVICE) as tx:
            await store.release_leases(tx, self.replica)
        self.held = {}

    async def hold_in(self, tx: Transaction, cells: Iterable[int]) -> dict[int, Held]:
        """Have `tx` decide about `cells`: nobody takes them over before it ends.

        Raises LeaseLost with the cells that are not ours, or not surely.
        """
        wanted = frozenset(cells)
        if not self.trusted or not wanted <= self.held.keys():
            raise LeaseLost(wanted if not self.trusted else wanted - self.held.keys())
        held = {cell: self.held[cell] for cell in wanted}
        ours = await store.hold_leases(tx, self.replica, held)
        if ours != wanted:
            raise LeaseLost(wanted - ours)
        return held

    def step_down(self, cells: Iterable[int]) -> None:
        """Stop deciding about cells that another process owns by now."""
        self.held = {cell: held for cell, held in self.held.items() if cell not in set(cells)}

    def tell(self, box_ids: Iterable[UUID]) -> None:
        """Tell the owner that these boxes, or their streams, are not what they were."""
        self._changed.update(box_ids)
        if self._changed:
            self.stirred.set()

    def take_changed(self) -> set[UUID]:
        """Take what was told since the last time."""
        changed, self._changed = self._changed, set()
        return changed


def replica_name() -> str:
    """Name this process: no other, and no earlier one on this machine, has the same name."""
    return f"{gethostname()}-{getpid()}-{ids.new().hex[-8:]}"
