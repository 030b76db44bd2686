"""Exact amounts: whole minor units of one asset. Never a float, never a sum of two assets."""

from dataclasses import dataclass
from typing import Self

AMOUNT_MAX = 10**15  # the largest amount a request may name, in minor units
BALANCE_MAX = 2**53 - 1  # the largest balance: exact in every JSON reader
BPS = 10_000  # basis points in a whole


@dataclass(frozen=True, slots=True)
class Money:
    """An amount that knows its asset. `Money(1250, "EUR")` is twelve euros fifty."""

    minor: int
    asset: str

    def __add__(self, other: Self) -> Self:
        self._require_same_asset(other)
        return type(self)(self.minor + other.minor, self.asset)

    def __sub__(self, other: Self) -> Self:
        self._require_same_asset(other)
        return type(self)(self.minor - other.minor, self.asset)

    def __gt__(self, other: Self) -> bool:
        self._require_same_asset(other)
        return self.minor > other.minor

    def _require_same_asset(self, other: Self) -> None:
        # A programming error, not a problem to report: rules compare assets before amounts.
        assert self.asset == other.asset, f"{self.asset} mixed with {other.asset}"


def share(minor: int, bps: int) -> int:
    """Give the part of `minor` that `bps` basis points are, rounded down.

    Both must be non-negative. Whoever is given this part is given the rounding loss too:
    the rest, `minor - share(minor, bps)`, belongs to the other side, so nothing is lost.
    """
    assert minor >= 0, "shares are taken of what somebody has"
    assert 0 <= bps <= BPS, f"{bps} basis points are not a part of a whole"
    return minor * bps // BPS
