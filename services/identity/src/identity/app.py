"""Where identity is put together. The only module that knows every part."""

import base64
from pathlib import Path

from fastapi import APIRouter, FastAPI
from pydantic import SecretStr

from hazina import auth, idempotency
from hazina.chassis import Clock, Service, Timer
from hazina.pg import Database
from identity.account import routes as account
from identity.factor import jobs as factor
from identity.hasher import Hasher
from identity.key import jobs as key_jobs
from identity.key import routes as key
from identity.key.actions import Ring
from identity.login import routes as login
from identity.message import jobs as message_jobs
from identity.message import routes as message
from identity.organisation import routes as organisation
from identity.providers.smtp import Smtp
from identity.session import routes as session
from identity.settings import Settings
from identity.tables import metadata
from identity.trust import Trust
from identity.vault import Vault

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def build(settings: Settings, db: Database, clock: Clock) -> Service:
    """Put identity together, ready to serve from `db`."""
    trust = _trust(settings, db, clock)

    async def close(_: FastAPI) -> None:
        trust.hasher.close()

    return Service(
        name="identity",
        title="identity",
        settings=settings,
        db=db,
        clock=clock,
        migrations=MIGRATIONS,
        metadata=metadata,
        keys=trust.ring,
        routers=[_api(settings), key.router],
        timers=_timers(settings, trust),
        on_stop=[close],
        state={"trust": trust, "ring": trust.ring},
    )


def _raw(key: SecretStr) -> bytes:
    return base64.b64decode(key.get_secret_value())


def vault(settings: Settings) -> Vault:
    """Open the vault with the KEK that the settings hold."""
    return Vault(_raw(settings.kek))


def _trust(settings: Settings, db: Database, clock: Clock) -> Trust:
    kept = vault(settings)
    return Trust(
        vault=kept,
        hasher=Hasher(
            _raw(settings.pepper),
            pepper_id=settings.pepper_id,
            threads=settings.hash_threads,
            waiting=settings.hash_waiting,
        ),
        ring=Ring(db, kept, clock),
        issuer=settings.issuer,
        audience=settings.audience,
        access_token_s=settings.access_token_s,
        app_url=settings.app_url,
    )


def _api(settings: Settings) -> APIRouter:
    api = APIRouter(prefix="/identity/v1")
    for part in (login, account, session, organisation):
        api.include_router(part.router)
    if settings.env == "development":
        api.include_router(message.router)
    return api


def _timers(settings: Settings, trust: Trust) -> list[Timer]:
    timers = [
        key_jobs.rotation(trust.vault),
        factor.expiry,
        Timer("attempts", 60, idempotency.expire),
        Timer("revoked_sessions", 3600, auth.prune),
    ]
    if settings.smtp_url is not None:
        mailer = Smtp(settings.smtp_url.get_secret_value(), sender=settings.mail_from)
        wipe = settings.env == "production"  # development may read its own mail
        timers.append(message_jobs.sender(trust.vault, mailer, wipe=wipe))
    return timers
