"""What docker-compose.yml promises, read without an engine."""

import re
from pathlib import Path

import pytest
import yaml

from hazina.embedded.nats import nats_config
from hazina_gateway.table import SERVICES

ROOT = Path(__file__).parents[1]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
SERVICE = yaml.safe_load(COMPOSE)["services"]
EXAMPLE = (ROOT / ".env.example").read_text()


class TestComposeFile:
    def test_keeps_no_secret(self) -> None:
        told = [
            f"{name}.{key}={value}"
            for name, service in SERVICE.items()
            for key, value in service.get("environment", {}).items()
            if re.search("PASSWORD|TOKEN|SECRET|KEK|PEPPER|DATABASE_URL|NATS_URL", key)
            and "${" not in str(value)
        ]

        assert told == []

    def test_gives_every_variable_a_value_for_development(self) -> None:
        asked = set(re.findall(r"\$\{(\w+)(?:[:}])", COMPOSE))

        assert asked <= set(re.findall(r"^(\w+)=", EXAMPLE, re.MULTILINE))

    @pytest.mark.parametrize("name", SERVICE)
    def test_takes_every_right_from_every_container(self, name: str) -> None:
        service = SERVICE[name]

        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert service["security_opt"] == ["no-new-privileges:true"]

    @pytest.mark.parametrize("name", SERVICES)
    def test_migrates_once_before_it_serves(self, name: str) -> None:
        after = SERVICE[name]["depends_on"]

        assert after[f"{name}-migrate"] == {"condition": "service_completed_successfully"}
        assert SERVICE[f"{name}-migrate"]["command"] == ["migrate"]
        assert f"{name.upper()}_OWNER_DATABASE_URL" not in SERVICE[name]["environment"]

    def test_publishes_on_loopback_only(self) -> None:
        ports = [port for service in SERVICE.values() for port in service.get("ports", [])]

        assert ports
        assert all(port.startswith("127.0.0.1:") for port in ports)


class TestBroker:
    def test_has_the_same_rules_as_the_embedded_one(self) -> None:
        assert (ROOT / "deploy/nats.conf").read_text() == nats_config(SERVICES)
