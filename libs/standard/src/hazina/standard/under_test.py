"""What the inherited tests need to know of a service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from hazina.auth import StaticKeys
from hazina.chassis import Clock, Service, ServiceSettings, wall_clock
from hazina.pg import Database
from hazina.standard.databases import ServiceDatabase
from hazina.standard.tokens import Signer


@dataclass(frozen=True)
class UnderTest:
    """A service's name, its settings and how it is built: `UnderTest("ledger", Settings, build)`.

    `more` are settings beside those that every service has.
    """

    name: str
    settings: type[ServiceSettings]
    build: Callable[[Any, Database, Clock], Service]
    more: Mapping[str, Any] = field(default_factory=dict)

    def described(self) -> Service:
        """Build the service without a database: to read its routes, tables and migrations."""
        settings = self.settings(**(self.settings.DESCRIBED | dict(self.more)))
        return self.build(settings, Database(settings.database_url.get_secret_value()), wall_clock)

    @property
    def migrations(self) -> Path:
        """Where the service's migrations are."""
        return self.described().migrations

    def configured(self, database: ServiceDatabase, nats_url: str, signer: Signer) -> Any:
        """Make the settings of a service that lives in `database`."""
        told: dict[str, Any] = {
            **self.settings.DESCRIBED,
            "database_url": SecretStr(database.url),
            "owner_database_url": SecretStr(database.owner_url),
            "nats_url": nats_url,
            "issuer": signer.issuer,
            "audience": signer.audience,
            "env": "development",
        }
        return self.settings(**(told | dict(self.more)))

    def built(self, settings: Any, db: Database, clock: Clock, signer: Signer) -> Service:
        """Build the service as it will run, believing the tokens of `signer`.

        A service with keys of its own, as identity is, keeps them.
        """
        service = self.build(settings, db, clock)
        return service if service.keys else replace(service, keys=StaticKeys(signer.key_set))
