"""What services are told: what their settings know, and nothing they miss."""

from importlib import import_module

import pytest

from hazina_local import environment
from hazina_local.environment import Addresses
from hazina_local.folder import Secrets
from hazina_local.names import HEARS, SERVICES

AT = Addresses(
    postgres=1,
    nats=2,
    gateway=3,
    dev=4,
    smtp=5,
    services={service: 10 + number for number, service in enumerate(SERVICES)},
)


@pytest.mark.parametrize("service", SERVICES)
class TestOf:
    def test_is_known_to_the_service(self, service: str) -> None:
        known = import_module(f"{service}.settings").Settings.model_fields

        told = environment.of(service, AT, Secrets.fresh())

        names = {name.removeprefix(f"{service.upper()}_").lower() for name in told}
        assert names <= set(known)

    def test_makes_valid_settings(self, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
        secrets = Secrets.fresh()
        for name, value in environment.of(service, AT, secrets).items():
            monkeypatch.setenv(name, value)

        settings = import_module(f"{service}.settings").Settings()

        assert settings.port == AT.services[service]
        assert secrets.passwords[service] in settings.database_url.get_secret_value()

    def test_names_every_source_that_the_service_reads(self, service: str) -> None:
        known = import_module(f"{service}.settings").Settings.model_fields

        asked = {name.removesuffix("_internal_url") for name in known if name.endswith("_url")}

        assert asked & set(SERVICES) == set(HEARS[service])
