"""Where crypto is put together: the only module that knows every part."""

from base64 import b64decode
from pathlib import Path

from crypto import tables
from crypto.payment import routes as payment_routes
from crypto.ports.envelope import Envelope
from crypto.settings import Settings
from crypto.wallet import routes as wallet_routes
from crypto.wallet.consumers import Wallets
from hazina import auth, idempotency
from hazina.chassis import Clock, Service, Timer
from hazina.outbox import Source
from hazina.pg import Database

DAY_S = 86_400
HOUR_S = 3_600
MIGRATIONS = Path(__file__).parents[2] / "migrations"


def build(settings: Settings, db: Database, clock: Clock) -> Service:
    """Put crypto together."""
    envelope = Envelope(b64decode(settings.kek.get_secret_value()), settings.kek_version)
    return Service(
        name="crypto",
        title="Crypto",
        settings=settings,
        db=db,
        clock=clock,
        migrations=MIGRATIONS,
        metadata=tables.metadata,
        routers=[wallet_routes.router, payment_routes.router],
        sources=[
            Source(
                "identity",
                {**auth.hears(), **Wallets(envelope).heard()},
                internal_url=settings.identity_internal_url,
            )
        ],
        timers=[
            Timer("forget sessions", DAY_S, auth.prune),
            Timer("forget attempts", HOUR_S, idempotency.expire),
        ],
    )
