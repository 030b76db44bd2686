"""The sample service keeps every promise."""

from pathlib import Path

import pytest

from hazina.standard.suite import Standard


class TestStandard(Standard):
    def _contracts(self, pytestconfig: pytest.Config) -> Path:
        return Path(__file__).parent / "contracts"
