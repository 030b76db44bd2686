"""Quotas over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from billing.access.rules import FeatureUnknown
from billing.customer.rules import OrgUnknown, require_own
from billing.quota import actions, rules
from hazina import auth, idempotency
from hazina.auth import Signed
from hazina.chassis import Db, Now, Wire, refuses
from hazina.idempotency import KeyedForGood

router = APIRouter(prefix="/billing/v1/quota", tags=["quota"])

QUANTITY_MAX = 10**12


class UseCreate(Wire):
    """What is to be used: whole units, bytes for storage, tokens for AI."""

    org_id: UUID
    feature: Annotated[str, Field(min_length=1, max_length=64)]
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX)] = 1


class ConsumedRead(Wire):
    """How things stand after it was used, and the event that counts it."""

    event_id: str
    org_id: UUID
    feature: str
    kind: str
    allowed: bool
    reason: str | None
    limit: int | None
    used: int | None
    reserved: int | None
    remaining: int | None
    overage: int | None
    unit: str | None
    enforcement: str | None
    window_start: datetime | None
    resets_at: datetime | None
    plan: str
    snapshot_version: int


@router.post(
    "/consume",
    responses=refuses(
        auth.TokenInvalid,
        auth.TokenStale,
        auth.SessionRevoked,
        auth.ImpersonationReadOnly,
        auth.Forbidden,
        idempotency.KeyMissing,
        idempotency.KeyMalformed,
        idempotency.KeyReused,
        idempotency.InFlight,
        OrgUnknown,
        FeatureUnknown,
        rules.NotCountable,
        rules.FeatureUnavailable,
        rules.LevelFull,
        rules.LimitReached,
    ),
)
async def post_consume(
    ask: UseCreate, db: Db, caller: Signed, attempt: KeyedForGood, now: Now
) -> ConsumedRead:
    """Use some of a limit, exactly as long as there is room. The same key uses once."""
    # Not for staff either: who uses something does so in their own organisation.
    require_own(ask.org_id, caller.org_id, staff=False)
    caller.require("quota.use")
    use = actions.Use(ask.org_id, ask.feature, ask.quantity, caller.user_id)
    made = await actions.consume(db, use, attempt, now)
    shown = ConsumedRead.model_fields.keys() - {"event_id"}
    return ConsumedRead(
        event_id=made.event_id, **{name: getattr(made.access, name) for name in shown}
    )
