"""Every knob of the sample service."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from hazina.chassis import ServiceSettings


class Settings(ServiceSettings):
    """What the sample service must be told."""

    model_config = SettingsConfigDict(env_prefix="SAMPLE_", frozen=True)

    notes_max: int = Field(100, ge=1, description="How many notes a person may have.")
