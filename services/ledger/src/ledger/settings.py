"""Every knob of the ledger."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from hazina.chassis import ServiceSettings


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
        (SecretStr("whsec_development"),),
        description="With which Stripe signs what it tells us; several while one is replaced.",
    )
    review_from_usd_cents: int = Field(
        2_500_000,
        ge=1,
        description="Purchases from this many US cents need a second factor and a second look.",
    )
