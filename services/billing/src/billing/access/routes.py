"""Entitlements over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from billing.access import actions, rules
from billing.customer.actions import admit
from billing.customer.rules import OrgUnknown
from hazina import auth
from hazina.auth import Signed
from hazina.chassis import Db, Now, Wire, etag, refuses

router = APIRouter(prefix="/billing/v1/orgs/{org_id}", tags=["access"])

Feature = Annotated[str, Path(min_length=1, max_length=64)]
Quantity = Annotated[int, Query(ge=1, le=10**12)]
REFUSED = (auth.TokenInvalid, auth.TokenStale, auth.SessionRevoked, auth.Forbidden, OrgUnknown)


class GrantRead(Wire):
    """Something that is given beside the plan: one of flag, add, set and static."""

    id: UUID
    source_kind: str
    source_id: str
    feature_key: str
    flag: bool | None
    add: int | None
    set: int | None
    static: int | None
    reason: str | None
    ends_at: datetime | None
    created_at: datetime


class EntitlementsRead(Wire):
    """All that an organisation may use; `version` rises when any of it changes."""

    org_id: UUID
    version: int
    plan: str
    plan_version: int
    status: str
    limits: dict[str, int]
    features: dict[str, bool]
    statics: dict[str, int]
    over_limit: list[str]
    grants: list[GrantRead]


class AccessRead(Wire):
    """Whether a feature may be used; what does not apply is null, -1 is unlimited."""

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


@router.get("/entitlements", responses=refuses(*REFUSED))
async def read_entitlements(
    org_id: UUID, response: Response, db: Db, caller: Signed, now: Now
) -> EntitlementsRead:
    """Show all that an organisation may use, as every service was told."""
    admit(caller, org_id, "billing.read")
    found = await actions.read(db, caller, org_id, now)
    response.headers["ETag"] = etag(found.snapshot.version)
    grants = [_shown(GrantRead, grant) for grant in found.grants]
    own = EntitlementsRead.model_fields.keys() - {"grants"}
    return EntitlementsRead(**{name: getattr(found.snapshot, name) for name in own}, grants=grants)


@router.get("/features/{feature}", responses=refuses(*REFUSED, rules.FeatureUnknown))
async def read_feature(
    org_id: UUID, feature: Feature, *, db: Db, caller: Signed, now: Now, quantity: Quantity = 1
) -> AccessRead:
    """Say whether so much more of a feature may be used now, and how much is left."""
    admit(caller, org_id, "billing.read")
    seen = await actions.look(db, caller, org_id, feature, quantity=quantity, now=now)
    return AccessRead.of(seen)


def _shown(shape: type[GrantRead], row: Any) -> GrantRead:
    return shape(**{name: getattr(row, name) for name in shape.model_fields})
