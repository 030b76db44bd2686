"""What crypto's tests share."""

import base64

import pytest

from crypto.app import build
from crypto.settings import Settings
from hazina.standard import UnderTest

KEK = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(scope="session")
def under_test() -> UnderTest:
    return UnderTest("crypto", Settings, build, more={"kek": KEK})
