"""Every knob of crypto."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from hazina.chassis import ServiceSettings


class Settings(ServiceSettings):
    """What crypto must be told; read once, by the app."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="CRYPTO_")

    port: int = Field(8004, ge=0, le=65535, description="The port to listen on.")
    identity_internal_url: str = Field(
        "http://127.0.0.1:8001", description="Where identity's ledger of facts is read."
    )
    kek: SecretStr | None = Field(
        None,
        description="Base64 of the 32 bytes that seal the keys of custodial wallets; "
        "the service does not start without it.",
    )
    kek_version: int = Field(1, ge=1, description="Which key that is, among all there were.")
