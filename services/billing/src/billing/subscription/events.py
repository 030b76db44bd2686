"""What subscription tells the other services."""

from datetime import datetime
from typing import Self
from uuid import UUID

from billing.subscription.rules import Subscription, seats
from hazina.outbox import Event


class SubscriptionStarted(Event, type="billing.subscription.started", version=1, key="org_id"):
    """An organisation has another live subscription; `previous_plan` is null for its first."""

    subscription_id: UUID
    org_id: UUID
    plan: str
    plan_version: int
    status: str
    provider: str
    seats: int
    period_end: datetime
    previous_plan: str | None = None

    @classmethod
    def by(cls, made: Subscription) -> Self:
        """Tell of the first subscription of an organisation."""
        return cls(
            subscription_id=made.id,
            org_id=made.org_id,
            plan=made.plan.code,
            plan_version=made.plan.version,
            status=made.status,
            provider=made.provider,
            seats=seats(made.plan.seats, made.extra_seats),
            period_end=made.current_period_end,
        )
