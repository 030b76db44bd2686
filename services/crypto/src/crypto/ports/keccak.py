"""Keccak-256 as Ethereum uses it: SHA-3 before its padding was changed. Hashlib has only SHA-3.

Thirty lines instead of a dependency; the same sponge with SHA-3's padding is compared with
hashlib in the tests. Source: the Keccak reference, version 3.0, section 1.2.
"""

from typing import Final

LANES: Final = 25  # of 64 bits
ROUNDS: Final = 24
MASK: Final = (1 << 64) - 1
RATE_BYTES: Final = 136  # of 200; the rest is the capacity that 256 bits of security need
KECCAK_PADDING: Final = 0x01
SHA3_PADDING: Final = 0x06


def keccak_256(message: bytes) -> bytes:
    """Give the 32 bytes that Ethereum means by a hash."""
    return sponge_256(message, KECCAK_PADDING)


def sponge_256(message: bytes, padding: int) -> bytes:
    """Absorb `message` with the first byte of padding that tells Keccak from SHA-3."""
    short = RATE_BYTES - len(message) % RATE_BYTES
    padded = bytearray(message + bytes(short))
    padded[len(message)] ^= padding
    padded[-1] ^= 0x80
    lanes = [0] * LANES
    for at in range(0, len(padded), RATE_BYTES):
        for lane in range(RATE_BYTES // 8):
            start = at + lane * 8
            lanes[lane] ^= int.from_bytes(padded[start : start + 8], "little")
        lanes = _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permute(a: list[int]) -> list[int]:
    for constant in ROUND_CONSTANTS:
        # Theta: every bit is mixed with the parities of two columns.
        column = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        mixed = [column[x - 1] ^ _rotate(column[(x + 1) % 5], 1) for x in range(5)]
        a = [lane ^ mixed[i % 5] for i, lane in enumerate(a)]
        # Rho and pi: lanes are rotated and change places.
        moved = [0] * LANES
        for i, lane in enumerate(a):
            moved[i // 5 + 5 * ((2 * (i % 5) + 3 * (i // 5)) % 5)] = _rotate(lane, ROTATIONS[i])
        # Chi and iota: the only step that is not linear, and the only that tells rounds apart.
        a = [
            lane ^ (~moved[i - i % 5 + (i + 1) % 5] & moved[i - i % 5 + (i + 2) % 5])
            for i, lane in enumerate(moved)
        ]
        a[0] ^= constant
    return a


def _rotate(lane: int, by: int) -> int:
    return (lane << by | lane >> (64 - by)) & MASK


def _rotations() -> list[int]:
    """Give how far each lane is rotated: triangular numbers along a walk over the plane."""
    found = [0] * LANES
    x, y = 1, 0
    for t in range(LANES - 1):
        found[x + 5 * y] = (t + 1) * (t + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return found


def _round_constants() -> list[int]:
    """Give what is mixed into each round: bits of a shift register, at places 2^j - 1."""
    found = []
    register = 1
    for _ in range(ROUNDS):
        constant = 0
        for j in range(7):
            if register & 1:
                constant |= 1 << ((1 << j) - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        found.append(constant)
    return found


ROTATIONS: Final = _rotations()
ROUND_CONSTANTS: Final = _round_constants()
