"""What entitlement tells the other services."""

from uuid import UUID

from hazina.outbox import Event


class EntitlementsChanged(Event, type="billing.entitlements.changed", version=1, key="org_id"):
    """What an organisation may use has changed; this is all of it, numbered by `version`."""

    org_id: UUID
    version: int
    plan: str
    status: str
    limits: dict[str, int]
    features: dict[str, bool]
    statics: dict[str, int]
    over_limit: list[str]
