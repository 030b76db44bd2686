"""The catalogue over HTTP: anybody reads it, staff edits it."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from billing.catalog import actions, rules, store
from hazina import auth
from hazina.auth import Signed
from hazina.chassis import Db, IfMatch, Page, PreconditionFailed, Wire, etag, refuses

router = APIRouter(prefix="/billing/v1/plans", tags=["catalog"])

Code = Annotated[str, Path(min_length=1, max_length=64)]
Key = Annotated[str, Path(min_length=1, max_length=64)]
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
LIMIT_MAX = 10**15  # what programs that keep numbers as doubles still read exactly
REFUSED_TO_OTHERS = (
    auth.TokenInvalid,
    auth.TokenStale,
    auth.SessionRevoked,
    auth.Forbidden,
    auth.StepUpRequired,
)


class PriceRead(Wire):
    """What one thing about a plan costs, in minor units."""

    id: UUID
    type: str
    kind: str
    feature_key: str | None
    block: int | None
    unit_amount: int
    currency: str
    interval: str | None


class PlanRead(Wire):
    """A plan as it is sold today: limits by key (-1 is unlimited), flags by name, prices."""

    code: str
    version: int
    name: str
    limits: dict[str, int]
    features: dict[str, bool]
    prices: list[PriceRead]


class FeatureRead(Wire):
    """One row of what a version of a plan allows."""

    plan_id: UUID
    feature_key: str
    limit_value: int | None
    flags: dict[str, bool]
    meter_key: str | None
    reset_interval: str
    enforcement: str
    requires: str | None
    row_version: int
    created_at: datetime


class FeatureUpdate(Wire):
    """What to change of a row; what is left out stays."""

    limit: Annotated[int | None, Field(ge=-LIMIT_MAX, le=LIMIT_MAX)] = None
    flags: Annotated[dict[str, bool] | None, Field(max_length=100)] = None
    enforcement: Literal["hard", "soft"] | None = None


@router.get("")
async def list_plans(db: Db) -> Page[PlanRead]:
    """Show every plan that is sold, each in its newest version."""
    async with db.reading() as tx:
        plans = await store.list_plans(tx)
        prices = await store.list_prices(tx, [plan.id for plan in plans])
    return Page[PlanRead](data=[_plan(plan, prices[plan.id]) for plan in plans])


@router.get("/{code}/features", responses=refuses(rules.PlanUnknown))
async def list_features(code: Code, db: Db, version: Version = None) -> Page[FeatureRead]:
    """Show what a plan allows, row by row; the newest published version unless one is named."""
    async with db.reading() as tx:
        rows = await store.list_features(tx, await store.find_plan_id(tx, code, version))
    return Page[FeatureRead](data=[_feature(row) for row in rows])


@router.patch(
    "/{code}/features/{key}",
    responses=refuses(
        *REFUSED_TO_OTHERS,
        rules.PlanUnknown,
        rules.FeatureUnknown,
        rules.LimitInvalid,
        PreconditionFailed,
    ),
)
async def patch_feature(
    code: Code,
    key: Key,
    ask: FeatureUpdate,
    *,
    response: Response,
    db: Db,
    caller: Signed,
    match: IfMatch,
    version: Version = None,
) -> FeatureRead:
    """Change what a plan allows; everybody on that version is told within moments."""
    caller.require_staff()
    asked = rules.Edit(ask.limit, ask.flags, ask.enforcement)
    row = await actions.edit_feature(
        db, caller.actor, (code, version), key, asked=asked, match=match
    )
    response.headers["ETag"] = etag(row.row_version)
    return _feature(row)


def _plan(plan: Any, prices: list[Any]) -> PlanRead:
    return PlanRead(
        code=plan.code,
        version=plan.version,
        name=plan.name,
        limits=plan.limits,
        features=plan.features,
        prices=[_price(price) for price in prices],
    )


def _price(price: Any) -> PriceRead:
    return PriceRead(**{name: getattr(price, name) for name in PriceRead.model_fields})


def _feature(row: Any) -> FeatureRead:
    return FeatureRead(**{name: getattr(row, name) for name in FeatureRead.model_fields})
