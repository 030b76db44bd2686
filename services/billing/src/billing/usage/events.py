"""What usage tells the other services."""

from datetime import datetime
from uuid import UUID

from hazina.outbox import Event


class ThresholdReached(Event, type="billing.usage.threshold_reached", version=1, key="org_id"):
    """An organisation has used 50, 80 or 100 % of a limit; told once a window each."""

    org_id: UUID
    feature: str
    pct: int
    limit: int
    used: int
    window_start: datetime | None
