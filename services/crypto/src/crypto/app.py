"""Where crypto is put together: the only module that knows every part."""

from pathlib import Path

from fastapi import FastAPI

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


class NoKey(SystemExit):
    """Without CRYPTO_KEK no wallet could be kept safe, so nothing is started."""


def build(settings: Settings, db: Database, clock: Clock) -> Service:
    """Put crypto together. A key-encryption key that is none is a ValueError."""
    encoded = None if settings.kek is None else settings.kek.get_secret_value()
    envelope = Envelope.of(encoded, settings.kek_version)

    async def require_key(_: FastAPI) -> None:
        if not envelope.ready:
            raise NoKey("crypto: CRYPTO_KEK is not set; give it the base64 of 32 random bytes")

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
        on_start=[require_key],
    )
