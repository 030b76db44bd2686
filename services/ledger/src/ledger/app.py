"""Where the ledger is put together. The only module that knows every part."""

from pathlib import Path

from fastapi import FastAPI

from hazina import auth
from hazina.chassis import Clock, Service, Timer
from hazina.outbox import Source
from hazina.pg import Database
from ledger import tables
from ledger.account import consumers as heard
from ledger.account import routes as account
from ledger.account.actions import Directory
from ledger.audit import jobs as audit_jobs
from ledger.gift import routes as gift
from ledger.hold import jobs as hold_jobs
from ledger.hold import routes as hold
from ledger.moneybox import jobs as moneybox_jobs
from ledger.moneybox import routes as moneybox
from ledger.monitor import jobs as monitor_jobs
from ledger.monitor import routes as monitor
from ledger.posting.actions import Book
from ledger.providers.rails import Rails
from ledger.providers.stripe import Stripe, StripeApi
from ledger.providers.stripe_twin import StripeTwin
from ledger.purchase import jobs as purchase_jobs
from ledger.purchase import routes as purchase
from ledger.settings import Settings
from ledger.transfer import routes as transfer

MIGRATIONS = Path(__file__).parents[2] / "migrations"
DAY_S = 86_400


def build(settings: Settings, db: Database, clock: Clock) -> Service:
    """Give the ledger, ready to serve from `db`."""
    book = Book(db)
    rails = Rails(
        stripe=_stripe(settings),
        stripe_secrets=tuple(s.get_secret_value() for s in settings.stripe_webhook_secrets),
        review_from_usd_cents=settings.review_from_usd_cents,
    )

    async def close(_: FastAPI) -> None:
        await book.close()

    return Service(
        name="ledger",
        title="Ledger",
        settings=settings,
        db=db,
        clock=clock,
        migrations=MIGRATIONS,
        metadata=tables.metadata,
        routers=(
            account.router,
            transfer.router,
            hold.router,
            monitor.router,
            purchase.router,
            gift.router,
            moneybox.router,
        ),
        sources=(_identity(settings),),
        timers=(
            Timer("auth_prune", DAY_S, auth.prune),
            *purchase_jobs.timers(rails),
            *hold_jobs.TIMERS,
            *moneybox_jobs.TIMERS,
            *monitor_jobs.TIMERS,
            *audit_jobs.TIMERS,
        ),
        on_stop=(close,),
        state={"book": book, "directory": Directory(db), "rails": rails},
    )


def _identity(settings: Settings) -> Source:
    return Source(
        "identity",
        {
            **auth.hears(),
            heard.UserRegistered: heard.open_accounts,
        },
        internal_url=settings.identity_internal_url,
    )


def _stripe(settings: Settings) -> Stripe:
    if settings.stripe_url is not None and settings.stripe_api_key is not None:
        return StripeApi(settings.stripe_url, settings.stripe_api_key.get_secret_value())
    assert settings.env != "production", "the settings refuse this"
    return StripeTwin()
