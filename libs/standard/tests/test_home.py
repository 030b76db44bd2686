"""Tests stay on this machine."""

import socket

import pytest

from hazina.standard import home


class TestStay:
    @pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80, 0, 0)])
    def test_refuses_another_machine(self, address: tuple[object, ...]) -> None:
        family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
        with socket.socket(family) as away, pytest.raises(home.StrayedAway):
            away.connect(address)

    def test_lets_this_one_pass(self) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as here,
            socket.create_connection(here.getsockname()) as joined,
        ):
            assert joined.getpeername() == here.getsockname()
