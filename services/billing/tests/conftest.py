"""What billing's tests share."""

import pytest

from billing.app import build
from billing.settings import Settings
from hazina.standard import UnderTest


@pytest.fixture(scope="session")
def under_test() -> UnderTest:
    return UnderTest("billing", Settings, build)
