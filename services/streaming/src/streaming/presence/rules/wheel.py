"""A timing wheel: a beat is one array store, and each second looks at one slot. Pure."""

from array import array
from math import ceil, inf

SLOTS = 64  # seconds; no patience may be as long
STALL_S = 2.0  # a longer pause between sweeps was ours: nobody could have been heard
TICK_S = 1.0
FREE = -1


class Wheel:
    """When each of many rows was last heard, and which have been silent for too long.

    Times are monotonic seconds given by the caller. After a stall everybody's deadline moves by
    as long as the stall lasted beyond one tick.
    """

    __slots__ = (
        "_armed",
        "_free",
        "_last",
        "_lost",
        "_slots",
        "_swept",
        "_tick",
        "_until",
        "patience",
    )

    def __init__(self, now: float, patience: float) -> None:
        """Start empty; a row expires `patience` seconds after it was last heard."""
        assert 0 < patience < SLOTS - 1, "a deadline must fit the wheel"
        self.patience = patience
        self._last = array("d")  # by row: last beat, in the wheel's own time
        self._until = array("d")  # by row: a deadline that no beat moves
        self._armed = array("q")  # by row: the tick whose slot holds it, or FREE
        self._free: list[int] = []
        self._slots: list[list[int]] = [[] for _ in range(SLOTS)]
        self._lost = 0.0
        self._swept = now
        self._tick = int(now)  # the last second that was looked at, in the wheel's own time

    def add(self, now: float) -> int:
        """Take in a row that was heard now; give its number."""
        at = now - self._lost
        if self._free:
            row = self._free.pop()
            self._last[row], self._until[row] = at, inf
        else:
            row = len(self._last)
            self._last.append(at)
            self._until.append(inf)
            self._armed.append(FREE)
        self._arm(row)
        return row

    def beat(self, row: int, at: float) -> None:
        """Note that a row was heard at `at`; never moves backwards."""
        self._last[row] = max(self._last[row], at - self._lost)

    def bound(self, row: int, until: float) -> None:
        """Have the row expire at `until` at the latest, whatever is heard of it."""
        self._until[row] = min(self._until[row], until - self._lost)
        self._arm(row)

    def unbind(self, row: int) -> None:
        """Let beats alone decide about the row again."""
        self._until[row] = inf
        self._arm(row)

    def defer(self, row: int, until: float) -> None:
        """Let the row live until `until` at least, as if it had been heard as late as that."""
        self._until[row] = inf
        self._last[row] = max(self._last[row], until - self._lost - self.patience)
        self._arm(row)

    def drop(self, row: int) -> None:
        """Forget the row; its number may be given out again."""
        self._armed[row] = FREE
        self._free.append(row)

    def silent_for(self, row: int, now: float) -> float:
        """Tell how many seconds ago the row was heard, stalls not counted."""
        return max(0.0, now - self._lost - self._last[row])

    def sweep(self, now: float) -> list[int]:
        """Give the rows whose deadline has passed; ones neither dropped nor deferred come again."""
        gap = now - self._swept
        if gap > STALL_S:
            self._lost += gap - TICK_S
        self._swept = now
        at = now - self._lost
        overdue: list[int] = []
        while self._tick < int(at):
            self._tick += 1
            self._visit(self._tick, at, overdue)
        return overdue

    def _visit(self, tick: int, at: float, overdue: list[int]) -> None:
        slot = tick % SLOTS
        rows, self._slots[slot] = self._slots[slot], []
        last, until, armed, patience = self._last, self._until, self._armed, self.patience
        for row in rows:
            if armed[row] != tick:
                continue  # armed for another time since, or free
            deadline = min(last[row] + patience, until[row])
            if deadline <= at:
                overdue.append(row)
                deadline = at + TICK_S
            self._place(row, ceil(deadline))

    def _arm(self, row: int) -> None:
        """See to it that the row is looked at by its deadline; earlier does no harm."""
        deadline = min(self._last[row] + self.patience, self._until[row])
        tick = max(ceil(deadline), self._tick + 1)
        if self._armed[row] == FREE or tick < self._armed[row]:
            self._place(row, tick)

    def _place(self, row: int, tick: int) -> None:
        self._armed[row] = tick
        self._slots[tick % SLOTS].append(row)
