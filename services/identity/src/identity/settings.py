"""Every knob of identity."""

import base64
import binascii
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from hazina.chassis import ServiceSettings

KEY_BYTES = 32


def _require_key(given: SecretStr) -> SecretStr:
    """Refuse what is not 32 bytes in base64."""
    try:
        raw = base64.b64decode(given.get_secret_value(), validate=True)
    except binascii.Error as bad:
        raise ValueError("must be base64") from bad
    if len(raw) != KEY_BYTES:
        raise ValueError(f"must be {KEY_BYTES} bytes in base64")
    return given


Key = Annotated[SecretStr, AfterValidator(_require_key)]


class Settings(ServiceSettings):
    """What identity must be told; there is no start without KEK and pepper."""

    model_config = SettingsConfigDict(env_prefix="IDENTITY_", frozen=True, extra="ignore")
    DESCRIBED: ClassVar[dict[str, Any]] = ServiceSettings.DESCRIBED | {
        name: SecretStr(base64.b64encode(bytes(KEY_BYTES)).decode()) for name in ("kek", "pepper")
    }

    kek: Key = Field(description="32 bytes in base64: encrypts keys, addresses and messages.")
    pepper: Key = Field(description="32 bytes in base64: mixed into every password.")
    pepper_id: str = Field("p1", min_length=1, description="Names the pepper, for the day after.")
    hash_threads: int = Field(0, ge=0, le=64, description="Passwords hashed at once; 0: per core.")
    hash_waiting: int = Field(
        8, ge=0, le=1000, description="Passwords that may wait for each of those threads."
    )
    smtp_url: SecretStr | None = Field(
        None, description="smtp://user:password@host:port or smtps://…; without it mail waits."
    )
    mail_from: str = Field("Hazina <no-reply@hazina.local>", description="Who mails come from.")
    app_url: str = Field("https://app.hazina.local", description="Where links in mails lead.")
    access_token_s: int = Field(300, ge=60, le=300, description="Seconds an access token lives.")
