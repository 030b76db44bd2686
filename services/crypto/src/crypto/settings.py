"""Every knob of crypto."""

from base64 import b64decode, b64encode

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from hazina.chassis import ServiceSettings

KEK_BYTES = 32


class Settings(ServiceSettings):
    """What crypto must be told; read once, by the app."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="CRYPTO_")

    DESCRIBED = ServiceSettings.DESCRIBED | {"kek": SecretStr(b64encode(bytes(32)).decode())}

    port: int = Field(8004, ge=0, le=65535, description="The port to listen on.")
    identity_internal_url: str = Field(
        "http://127.0.0.1:8001", description="Where identity's ledger of facts is read."
    )
    kek: SecretStr = Field(
        description="Base64 of the 32 bytes that seal the keys of custodial wallets."
    )
    kek_version: int = Field(1, ge=1, description="Which key that is, among all there were.")

    @field_validator("kek")
    @classmethod
    def _is_a_key(cls, kek: SecretStr) -> SecretStr:
        if len(b64decode(kek.get_secret_value(), validate=True)) != KEK_BYTES:
            raise ValueError("it is the base64 of 32 bytes")
        return kek
