"""Production never takes money from a twin."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from ledger.settings import Settings

REAL: dict[str, Any] = {
    "database_url": SecretStr("postgresql://x@127.0.0.1/x"),
    "env": "production",
    "stripe_url": "https://stripe.test",
    "stripe_api_key": SecretStr("sk"),
    "stripe_webhook_secrets": (SecretStr("whsec_real"),),
}


class TestSettings:
    def test_takes_the_real_one_in_production(self) -> None:
        assert Settings(**REAL).env == "production"

    @pytest.mark.parametrize(
        "change",
        [
            {"stripe_url": None},
            {"stripe_api_key": None},
            {"stripe_webhook_secrets": (SecretStr("whsec_development"),)},
        ],
    )
    def test_refuses_the_twin_in_production(self, change: dict[str, Any]) -> None:
        with pytest.raises(ValidationError, match="production"):
            Settings(**REAL | change)
