import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.ports.keccak import SHA3_PADDING, keccak_256, sponge_256


class TestKeccak256:
    @pytest.mark.parametrize(
        ("message", "digest"),
        [
            # The hash of nothing is every empty account's code hash (Ethereum yellow paper).
            (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
            (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
            # ERC-20's best known event, as every log of it names it.
            (
                b"Transfer(address,address,uint256)",
                "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
            ),
        ],
    )
    def test_gives_the_known_digests(self, message: bytes, digest: str) -> None:
        assert keccak_256(message).hex() == digest


class TestSponge256:
    @given(st.binary(max_size=600))
    def test_is_the_sponge_of_hashlib_with_its_padding(self, message: bytes) -> None:
        assert sponge_256(message, SHA3_PADDING) == hashlib.sha3_256(message).digest()

    @pytest.mark.parametrize("length", [135, 136, 137, 271, 272, 273])
    def test_pads_at_the_edges_of_a_block(self, length: int) -> None:
        message = b"x" * length

        assert sponge_256(message, SHA3_PADDING) == hashlib.sha3_256(message).digest()
