import pytest

from hazina.standard import UnderTest
from hazina.standard.sample.app import build
from hazina.standard.sample.settings import Settings


@pytest.fixture(scope="session")
def under_test() -> UnderTest:
    return UnderTest("sample", Settings, build)
