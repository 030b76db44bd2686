import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.ports.envelope import Belongs, Envelope, KeyUnavailable
from hazina import ids

KEK = bytes(range(32))
OF = Belongs(ids.new(), "base", "0xabc")


class TestSeal:
    @given(st.binary(max_size=64))
    def test_opens_to_what_was_sealed(self, secret: bytes) -> None:
        envelope = Envelope(KEK)

        assert envelope.open(envelope.seal(secret, OF), OF, 1) == secret

    def test_never_seals_the_same_way_twice(self) -> None:
        envelope = Envelope(KEK)

        assert envelope.seal(b"secret", OF) != envelope.seal(b"secret", OF)

    def test_holds_nothing_of_the_secret(self) -> None:
        assert b"secret" * 4 not in Envelope(KEK).seal(b"secret" * 4, OF)


class TestOpen:
    @pytest.mark.parametrize(
        "of",
        [
            Belongs(ids.new(), "base", "0xabc"),
            Belongs(OF.wallet_id, "polygon", "0xabc"),
            Belongs(OF.wallet_id, "base", "0xabd"),
        ],
    )
    def test_refuses_a_key_that_was_moved_to_another_wallet(self, of: Belongs) -> None:
        envelope = Envelope(KEK)

        with pytest.raises(KeyUnavailable):
            envelope.open(envelope.seal(b"secret", OF), of, 1)

    def test_refuses_another_version_and_another_key(self) -> None:
        sealed = Envelope(KEK).seal(b"secret", OF)

        with pytest.raises(KeyUnavailable):
            Envelope(KEK).open(sealed, OF, 2)
        with pytest.raises(KeyUnavailable):
            Envelope(bytes(32)).open(sealed, OF, 1)

    @given(st.integers(min_value=0), st.integers(1, 255))
    def test_refuses_every_changed_byte(self, at: int, change: int) -> None:
        envelope = Envelope(KEK)
        sealed = bytearray(envelope.seal(b"secret", OF))
        sealed[at % len(sealed)] ^= change

        with pytest.raises(KeyUnavailable):
            envelope.open(bytes(sealed), OF, 1)

    @given(st.binary(max_size=100))
    def test_refuses_nonsense(self, nonsense: bytes) -> None:
        with pytest.raises(KeyUnavailable):
            Envelope(KEK).open(nonsense, OF, 1)
