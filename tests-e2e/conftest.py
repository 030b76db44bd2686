"""A whole house from wheels, seen from outside; nothing of a service is imported."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hazina.embedded import free_port
from hazina_local.story.world import World, visiting

HAZINA = Path(sys.executable).with_name("hazina")


@dataclass(frozen=True)
class House:
    """A running house: its address, its parts, and the command that looks into it."""

    data: Path

    def run(self, *words: str) -> str:
        """Ask the command something; it must succeed."""
        return subprocess.run(
            [HAZINA, *words, "--data", str(self.data)],
            check=True, capture_output=True, text=True, timeout=120,
        ).stdout  # fmt: skip

    def pid(self, part: str) -> int:
        """The process id of a part; 0 while it is away."""
        state: dict[str, Any] = json.loads((self.data / "state.json").read_text())
        return int(state["parts"][part]["pid"] or 0)

    @property
    def secrets(self) -> dict[str, str]:
        """What services are told, by the name in their environment."""
        lines = [line.removeprefix("export ") for line in self.run("env").splitlines()]
        return {name: value.strip("'") for name, _, value in (x.partition("=") for x in lines)}


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house that is started once for all stories."""
    house = House(tmp_path_factory.mktemp("house"))
    os.environ["HAZINA_GATEWAY_RATES"] = "off"
    house.run("up", "--detach", "--port", str(free_port()))
    yield house
    house.run("down")
    del os.environ["HAZINA_GATEWAY_RATES"]


@pytest.fixture
async def world(embedded: House) -> AsyncIterator[World]:
    """The outside of the running house."""
    told = embedded.secrets
    secrets = json.loads(told["LEDGER_STRIPE_WEBHOOK_SECRETS"])
    async with visiting(told["HAZINA_URL"], secrets[0]) as outside:
        yield outside
