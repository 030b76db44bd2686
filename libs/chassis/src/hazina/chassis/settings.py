"""The knobs that every service has."""

from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What any service must be told. A service's own class adds to it and sets `env_prefix`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")
    # What is enough to build a service that is only described; a class with more required
    # settings adds to it: `DESCRIBED = ServiceSettings.DESCRIBED | {"kek": …}`.
    DESCRIBED: ClassVar[dict[str, Any]] = {
        "database_url": SecretStr("postgresql://nobody@127.0.0.1:1/nothing")
    }

    env: Literal["development", "production"] = Field(
        "development", description="Development may show what production must not."
    )
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(0, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    database_url: SecretStr = Field(
        description="postgresql:// URL of the role that reads and writes rows."
    )
    owner_database_url: SecretStr | None = Field(
        None, description="postgresql:// URL of the schema's owner; only `migrate` needs it."
    )
    database_pool_size: int = Field(10, ge=1, le=200, description="Connections a process keeps.")
    database_wait_s: float = Field(
        60, ge=0, description="How many seconds a start waits for PostgreSQL before it gives up."
    )
    nats_url: str = Field("nats://127.0.0.1:4222", description="Where the broker listens.")
    issuer: str = Field(
        "https://identity.hazina.local", description="Who must have signed an access token."
    )
    audience: str = Field("hazina", description="For whom an access token must be made.")
    jwks_url: str = Field(
        "http://127.0.0.1:8001/.well-known/jwks.json", description="Where the signing keys are."
    )
    internal_token: SecretStr | None = Field(
        None,
        description="What another service must show to read our ledger of facts; "
        "without it only this machine may.",
    )
    drain_s: int = Field(25, ge=0, le=300, description="Seconds that open requests get at a stop.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least serious thing that is logged."
    )
