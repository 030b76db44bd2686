"""What each service is told: addresses, passwords and keys, as environment variables."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from hazina_local.folder import Secrets
from hazina_local.names import AUDIENCE, DATABASE, HEARS, ISSUER, SERVICES

DRAIN_S = 3  # a laptop's house stops sooner than production's
POOL = 5


@dataclass(frozen=True)
class Addresses:
    """Where every part listens on 127.0.0.1."""

    postgres: int
    nats: int
    gateway: int
    dev: int
    smtp: int
    services: Mapping[str, int]

    def url(self, service: str) -> str:
        """A service's own address, beside the gateway."""
        return f"http://127.0.0.1:{self.services[service]}"

    def dsn(self, role: str, password: str) -> str:
        """Where and how a role connects to the house's database."""
        return f"postgresql://{role}:{password}@127.0.0.1:{self.postgres}/{DATABASE}"


def of(service: str, at: Addresses, secrets: Secrets) -> dict[str, str]:
    """Everything that one service is told, under its own prefix."""
    password = secrets.passwords
    owner = f"{service}_owner"
    told = {
        "ENV": "development",
        "HOST": "127.0.0.1",
        "PORT": str(at.services[service]),
        "DATABASE_URL": at.dsn(service, password[service]),
        "OWNER_DATABASE_URL": at.dsn(owner, password[owner]),
        "DATABASE_POOL_SIZE": str(POOL),
        "NATS_URL": f"nats://{service}:{password[service]}@127.0.0.1:{at.nats}",
        "ISSUER": ISSUER,
        "AUDIENCE": AUDIENCE,
        "JWKS_URL": f"{at.url('identity')}/.well-known/jwks.json",
        "DRAIN_S": str(DRAIN_S),
        **{f"{source.upper()}_INTERNAL_URL": at.url(source) for source in HEARS[service]},
        **_own(service, at, secrets),
    }
    return {f"{service.upper()}_{name}": value for name, value in told.items()}


def all_services(at: Addresses, secrets: Secrets) -> dict[str, str]:
    """What all services are told together; their prefixes keep them apart."""
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{at.dev}"}
    for service in SERVICES:
        told |= of(service, at, secrets)
    return told


def _own(service: str, at: Addresses, secrets: Secrets) -> dict[str, str]:
    """What only this service is told."""
    match service:
        case "identity":
            return {
                "PEPPER": secrets.pepper,
                "KEK": secrets.kek,
                "SMTP_URL": f"smtp://127.0.0.1:{at.smtp}",
            }
        case "crypto":
            return {"KEK": secrets.crypto_kek}
        case "ledger":
            return {"STRIPE_WEBHOOK_SECRETS": json.dumps([secrets.stripe_webhook])}
        case _:
            return {}
