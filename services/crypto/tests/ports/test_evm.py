import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto.ports.evm import address_of, new_key


def public_of(secret: int) -> bytes:
    key = ec.derive_private_key(secret, ec.SECP256K1())
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


class TestAddressOf:
    @pytest.mark.parametrize(
        ("secret", "address"),
        [
            # The keys 1 and 2, whose addresses are known to every chain explorer.
            (1, "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"),
            (2, "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"),
            # The first account of anvil and hardhat.
            (
                0xAC0974BEC39A17E36BA4A6B4D238FF944BACB478CBED5EFCAE784D7BF4F2FF80,
                "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            ),
        ],
    )
    def test_gives_known_addresses_with_their_checksum(self, secret: int, address: str) -> None:
        assert address_of(public_of(secret)) == address


class TestNewKey:
    def test_controls_the_address_it_names(self) -> None:
        made = new_key()

        assert address_of(public_of(int.from_bytes(made.secret, "big"))) == made.address

    def test_never_shows_its_secret(self) -> None:
        made = new_key()

        assert made.secret.hex() not in repr(made)
        assert repr(made.secret) not in repr(made)

    def test_makes_another_each_time(self) -> None:
        assert len({new_key().address for _ in range(50)}) == 50
