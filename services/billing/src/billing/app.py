"""Where billing is put together: the only module that knows every part."""

from pathlib import Path

from billing import tables
from billing.access import routes as access_routes
from billing.catalog import routes as catalog_routes
from billing.entitlement import jobs as entitlement_jobs
from billing.quota import jobs as quota_jobs
from billing.quota import routes as quota_routes
from billing.settings import Settings
from billing.subscription import consumers as subscription_consumers
from billing.subscription import jobs as subscription_jobs
from billing.subscription import routes as subscription_routes
from billing.usage import jobs as usage_jobs
from hazina import auth, idempotency
from hazina.chassis import Clock, Service, Timer
from hazina.outbox import Source
from hazina.pg import Database

DAY_S = 86_400
HOUR_S = 3_600
MIGRATIONS = Path(__file__).parents[2] / "migrations"


def build(settings: Settings, db: Database, clock: Clock) -> Service:
    """Put billing together."""
    return Service(
        name="billing",
        title="Billing",
        settings=settings,
        db=db,
        clock=clock,
        migrations=MIGRATIONS,
        metadata=tables.metadata,
        routers=[
            catalog_routes.router,
            subscription_routes.router,
            access_routes.router,
            quota_routes.router,
        ],
        sources=[
            Source(
                "identity",
                {**auth.hears(), **subscription_consumers.HEARD},
                internal_url=settings.identity_internal_url,
            )
        ],
        timers=[
            Timer("entitlement refresh", settings.refresh_every_s, entitlement_jobs.refresh),
            Timer("period ends", settings.due_every_s, subscription_jobs.roll_periods),
            Timer("reservation expiry", settings.due_every_s, quota_jobs.expire),
            Timer("usage partitions", HOUR_S, usage_jobs.ensure_partitions),
            Timer("forget sessions", DAY_S, auth.prune),
            Timer("forget attempts", HOUR_S, idempotency.expire),
        ],
    )
