"""What README shows is what happens: its request is run as it stands, by a shell, twice."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from hazina_local.story.coins import deliver, payment_succeeded, start_purchase
from hazina_local.story.people import has_a_home, sign_up
from hazina_local.story.world import World

pytestmark = [pytest.mark.e2e, pytest.mark.anyio, pytest.mark.timeout(180)]

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = [block.strip() for block in re.findall(r"```\n(.*?)```", README, re.DOTALL)]


def shell(command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command.replace("curl -s", "curl -s -i")],
        env={**os.environ, **env},
        check=True, capture_output=True, text=True, timeout=30,
    )  # fmt: skip


class TestReadme:
    async def test_shows_a_request_and_its_answer(self, world: World) -> None:
        request = next(block for block in BLOCKS if block.startswith("curl"))
        shown = BLOCKS[BLOCKS.index(request) + 1]
        amina, juma = await sign_up(world, "Amina"), await sign_up(world, "Juma")
        for person in (amina, juma):
            await has_a_home(world, person)
        await deliver(world, payment_succeeded(await start_purchase(world, amina)))
        types = await world.get("/ledger/v1/gift-types", amina)
        lion = next(kind["id"] for kind in types["data"] if kind["code"] == "lion")
        told = {"HAZINA_URL": world.url, "TOKEN": amina.token, "JUMA": juma.user_id, "LION": lion}

        first, again = (shell(request, **told).stdout for _ in range(2))

        answer = json.loads(first.partition("\n\n")[2])
        for name, value in re.findall(r'"(\w+)":(\d+)', shown):
            assert answer[name] == int(value), name
        assert "idempotency-replayed: true" in again.lower()
        assert "idempotency-replayed" not in first.lower()
        assert (await world.get("/ledger/v1/profiles/me", amina))["coin_balance"] == 400

    def test_names_commands_that_exist(self) -> None:
        makefile = (Path(__file__).parents[1] / "Makefile").read_text()

        for target in re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target

    def test_links_to_files_that_exist(self) -> None:
        root = Path(__file__).parents[1]

        for link in re.findall(r"\]\(([^)#]+)\)", README):
            assert (root / link).exists(), link
