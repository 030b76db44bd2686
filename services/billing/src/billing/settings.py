"""Every knob of billing."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from hazina.chassis import ServiceSettings


class Settings(ServiceSettings):
    """What billing must be told; read once, by the app."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="BILLING_")

    port: int = Field(8002, ge=0, le=65535, description="The port to listen on.")
    identity_internal_url: str = Field(
        "http://127.0.0.1:8001", description="Where identity's ledger of facts is read."
    )
    refresh_every_s: float = Field(
        0.25, gt=0, description="Seconds between looks for a changed catalogue."
    )
    due_every_s: float = Field(
        1, gt=0, description="Seconds between looks for periods and reservations that are over."
    )
