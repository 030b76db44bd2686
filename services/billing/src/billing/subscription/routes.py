"""Subscriptions over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from billing.customer.actions import admit
from billing.customer.rules import OrgUnknown
from billing.subscription import actions, rules, store
from hazina import auth
from hazina.auth import Signed
from hazina.chassis import Db, Now, Wire, etag, refuses

router = APIRouter(prefix="/billing/v1/orgs/{org_id}", tags=["subscription"])


class PendingRead(Wire):
    """A change that takes effect when the period ends."""

    plan: str
    interval: str
    seats: int
    at: datetime


class SubscriptionRead(Wire):
    """What an organisation subscribes to; `seats` are all it has, -1 is unlimited."""

    id: UUID
    org_id: UUID
    plan: str
    plan_version: int
    provider: str
    status: str
    interval: str
    seats: int
    seats_used: int
    anchor_at: datetime
    current_period_start: datetime
    current_period_end: datetime
    trial_end: datetime | None
    cancel_at_period_end: bool
    pending: PendingRead | None
    coupon: str | None
    ended_at: datetime | None
    row_version: int
    created_at: datetime


@router.get(
    "/subscription",
    responses=refuses(
        auth.TokenInvalid, auth.TokenStale, auth.SessionRevoked, auth.Forbidden, OrgUnknown
    ),
)
async def read_subscription(
    org_id: UUID, response: Response, db: Db, caller: Signed, now: Now
) -> SubscriptionRead:
    """Show an organisation's live subscription; it is on Free until it pays for more."""
    admit(caller, org_id, "billing.read")
    if caller.org_id == org_id:
        # Its token may be here before the event that tells of it.
        await actions.ensure(db, org_id, now)
    async with db.reading(caller.actor) as tx:
        row = await store.find_live(tx, org_id)
    if row is None:
        raise OrgUnknown(org_id=str(org_id))
    response.headers["ETag"] = etag(row.row_version)
    return _read(row)


def _read(row: Any) -> SubscriptionRead:
    shown = {name: getattr(row, name) for name in SubscriptionRead.model_fields if name != "seats"}
    return SubscriptionRead(**shown, seats=rules.seats(row.plan_seats, row.seats))
