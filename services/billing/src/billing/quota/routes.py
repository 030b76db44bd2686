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
from hazina.auth import Caller, Signed
from hazina.chassis import Db, Now, Wire, refuses
from hazina.idempotency import Keyed, KeyedForGood

router = APIRouter(prefix="/billing/v1/quota", tags=["quota"])

QUANTITY_MAX = 10**12


class UseCreate(Wire):
    """What is to be used: whole units, bytes for storage, tokens for AI."""

    org_id: UUID
    feature: Annotated[str, Field(min_length=1, max_length=64)]
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX)] = 1


class ReservationCreate(UseCreate):
    """What is to be set aside; with `partial`, what is left will do."""

    ttl_s: Annotated[int, Field(ge=5, le=3600)] = 60
    partial: bool = False


class SettlementCreate(Wire):
    """What was used of a reservation; `final` frees the rest, so 0 and final gives it back."""

    quantity: Annotated[int, Field(ge=0, le=QUANTITY_MAX)]
    final: bool


class AccessAfter(Wire):
    """How things stand after it."""

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


class ConsumedRead(AccessAfter):
    """How things stand after it was used, and the event that counts it."""

    event_id: str


class ReservationRead(Wire):
    """What is set aside, until when, and how things stand after it."""

    id: UUID
    amount: int
    settled: int
    expires_at: datetime
    access: AccessAfter


class SettlementRead(Wire):
    """A reservation after it; `overrun` is what was used beyond it, and counts all the same."""

    id: UUID
    amount: int
    settled: int
    status: str
    overrun: int


SIGNED = (
    auth.TokenInvalid,
    auth.TokenStale,
    auth.SessionRevoked,
    auth.ImpersonationReadOnly,
    auth.Forbidden,
    idempotency.KeyMissing,
    idempotency.KeyMalformed,
    idempotency.KeyReused,
    idempotency.InFlight,
)
REFUSED = (
    OrgUnknown,
    FeatureUnknown,
    rules.NotCountable,
    rules.FeatureUnavailable,
    rules.LevelFull,
    rules.LimitReached,
)


@router.post("/consume", responses=refuses(*SIGNED, *REFUSED))
async def post_consume(
    ask: UseCreate, db: Db, caller: Signed, attempt: KeyedForGood, now: Now
) -> ConsumedRead:
    """Use some of a limit, exactly as long as there is room. The same key uses once."""
    made = await actions.consume(db, _use(ask, caller), attempt, now)
    return ConsumedRead(event_id=made.event_id, **AccessAfter.of(made.access).model_dump())


@router.post("/reservations", status_code=201, responses=refuses(*SIGNED, *REFUSED))
async def post_reservation(
    ask: ReservationCreate, db: Db, caller: Signed, attempt: Keyed, now: Now
) -> ReservationRead:
    """Set some of a limit aside before it is used; what is not settled in time is free again."""
    made = await actions.reserve(
        db, _use(ask, caller), attempt, ttl_s=ask.ttl_s, partial=ask.partial, now=now
    )
    return ReservationRead.of(made)


@router.post(
    "/reservations/{id}/settle",
    responses=refuses(*SIGNED, rules.ReservationUnknown, rules.ReservationClosed),
)
async def post_settlement(
    id: UUID, ask: SettlementCreate, *, db: Db, caller: Signed, attempt: KeyedForGood, now: Now
) -> SettlementRead:
    """Count what was used of a reservation; use is never refused, even more than was set aside."""
    caller.require("quota.use")
    assert caller.org_id is not None, "whoever has a role has it in an organisation"
    use = actions.Use(caller.org_id, "", ask.quantity, caller.user_id)
    made = await actions.settle(db, use, id, attempt, final=ask.final, now=now)
    return SettlementRead.of(made)


def _use(ask: UseCreate, caller: Caller) -> actions.Use:
    """Admit members of the organisation. Not staff: one uses something in one's own."""
    require_own(ask.org_id, caller.org_id, staff=False)
    caller.require("quota.use")
    return actions.Use(ask.org_id, ask.feature, ask.quantity, caller.user_id)
