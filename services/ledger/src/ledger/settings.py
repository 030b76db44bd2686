"""Every knob of the ledger."""

from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from hazina.chassis import ServiceSettings

DEVELOPMENT_SECRET = SecretStr("whsec_development")


class Settings(ServiceSettings):
    """What the ledger must be told beside what every service must."""

    model_config = SettingsConfigDict(env_prefix="LEDGER_", frozen=True, extra="ignore")

    identity_internal_url: str = Field(
        "http://127.0.0.1:8001", description="Where identity's ledger of facts is read."
    )
    stripe_url: str | None = Field(
        None, description="Stripe's API; without it, in development, our twin of Stripe answers."
    )
    stripe_api_key: SecretStr | None = Field(None, description="The secret key of our account.")
    stripe_webhook_secrets: tuple[SecretStr, ...] = Field(
        (DEVELOPMENT_SECRET,),
        description="With which Stripe signs what it tells us; several while one is replaced.",
    )
    review_from_usd_cents: int = Field(
        2_500_000,
        ge=1,
        description="Purchases from this many US cents need a second factor and a second look.",
    )

    @model_validator(mode="after")
    def _real_in_production(self) -> Self:
        if self.env != "production":
            return self
        if self.stripe_url is None or self.stripe_api_key is None:
            raise ValueError("production takes money from the real Stripe: set its URL and key")
        if DEVELOPMENT_SECRET in self.stripe_webhook_secrets:
            raise ValueError("production needs webhook secrets of its own")
        return self
