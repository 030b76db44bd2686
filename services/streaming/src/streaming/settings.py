"""Every knob of streaming."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from hazina.chassis import ServiceSettings


class Settings(ServiceSettings):
    """What the streaming service must be told; read once, by the app."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="STREAMING_")

    port: int = Field(8005, ge=0, le=65535, description="The port to listen on.")
    replica_id: str = Field(
        "", description="This process's name among its like; made from host and pid when empty."
    )
    identity_internal_url: str = Field(
        "http://127.0.0.1:8001", description="Where identity's ledger of facts is read."
    )
    billing_internal_url: str = Field(
        "http://127.0.0.1:8002", description="Where billing's ledger of facts is read."
    )
    ledger_internal_url: str = Field(
        "http://127.0.0.1:8003", description="Where the ledger's facts are read."
    )
    ping_every_s: float = Field(12, gt=0, description="Seconds between pings, ±10 %.")
    pong_wait_s: float = Field(8, gt=0, description="Seconds a pong may take.")
    stale_after_s: float = Field(
        30, gt=0, le=60, description="Seconds without a heartbeat after which a viewing is over."
    )
    closing_s: float = Field(
        5, gt=0, le=60, description="Seconds a closed socket may take to come back."
    )
    linger_s: float = Field(
        10, ge=0, description="Seconds a box stays published after its last viewer."
    )
    warming_s: float = Field(
        45, ge=0, description="Seconds after a start in which no box goes off for want of viewers."
    )
    warming_max_s: float = Field(
        180, ge=0, description="The same, while fewer than 85 % of the viewers were heard again."
    )
    max_boxes_per_stream: int = Field(
        4, ge=-1, description="Boxes of a stream where billing has set no limit; -1 is unlimited."
    )
    max_concurrent_viewers: int = Field(
        -1, ge=-1, description="Viewers of an organisation where billing has set no limit."
    )
