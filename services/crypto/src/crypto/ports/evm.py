"""Keys and addresses of Ethereum's family: base and polygon share them."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto.ports.keccak import keccak_256

KEY_BYTES = 32
UPPER_FROM = 8  # of 16: EIP-55 writes a letter large where the hash says so


@dataclass(frozen=True, slots=True)
class Key:
    """A fresh secp256k1 key. `secret` is the private number and is sealed before anything else."""

    secret: bytes = field(repr=False)
    public: bytes  # uncompressed, 65 bytes
    address: str


def new_key() -> Key:
    """Make a key from the system's randomness, and the address that it controls."""
    made = ec.generate_private_key(ec.SECP256K1())
    secret = made.private_numbers().private_value.to_bytes(KEY_BYTES, "big")
    public = made.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return Key(secret, public, address_of(public))


def address_of(public: bytes) -> str:
    """Give the address of an uncompressed public key, with EIP-55's checksum in its case."""
    plain = keccak_256(public[1:])[-20:].hex()
    marks = keccak_256(plain.encode()).hex()
    cased = (
        letter.upper() if int(mark, 16) >= UPPER_FROM else letter
        for letter, mark in zip(plain, marks, strict=False)
    )
    return "0x" + "".join(cased)
