"""What a person notices while a part is away: the least possible, and nothing for ever."""

import asyncio
import os
import signal
import time

import httpx
import pytest

from hazina_local.story.people import has_a_home, sign_up
from hazina_local.story.world import World, eventually

from .conftest import House

pytestmark = [pytest.mark.e2e, pytest.mark.anyio, pytest.mark.timeout(180)]


class TestBrokerAway:
    async def test_writes_go_on_and_arrive_later(self, world: World, embedded: House) -> None:
        broker = embedded.pid("nats")
        os.kill(broker, signal.SIGSTOP)
        try:
            amina = await sign_up(world, "Amina")
            await asyncio.sleep(1)
            homeless = await world.get("/crypto/v1/wallets", amina)
        finally:
            os.kill(broker, signal.SIGCONT)

        assert homeless["data"] == []
        assert (await has_a_home(world, amina))["subscription"] == "free"


class TestDatabaseAway:
    async def test_is_503_with_a_time_to_come_back_and_heals_by_itself(
        self, world: World, embedded: House
    ) -> None:
        amina = await sign_up(world, "Amina")
        await has_a_home(world, amina)
        headers = {"Authorization": f"Bearer {amina.token}"}

        os.kill(embedded.pid("postgres"), signal.SIGKILL)

        answers: list[httpx.Response] = []
        until = time.monotonic() + 3
        while time.monotonic() < until:
            answers.append(await world.http.get("/ledger/v1/profiles/me", headers=headers))
            await asyncio.sleep(0.02)
        refused = [answer for answer in answers if answer.status_code != httpx.codes.OK]
        for answer in refused:
            assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "service.unavailable"
            assert int(answer.headers["retry-after"]) >= 1
        await eventually(
            "the ledger answers again",
            lambda: world.http.get("/ledger/v1/profiles/me", headers=headers),
            lambda answer: answer.status_code == httpx.codes.OK,
            within_s=30,
        )


class TestServiceAway:
    async def test_hurts_only_its_own_callers(self, world: World, embedded: House) -> None:
        amina = await sign_up(world, "Amina")
        await has_a_home(world, amina)
        headers = {"Authorization": f"Bearer {amina.token}"}
        billing = embedded.pid("billing")
        os.kill(billing, signal.SIGSTOP)
        try:
            juma = await sign_up(world, "Juma")
            profile = await eventually(
                "Juma's coins",
                lambda: world.http.get(
                    "/ledger/v1/profiles/me", headers={"Authorization": f"Bearer {juma.token}"}
                ),
                lambda answer: answer.status_code == httpx.codes.OK,
            )
            wallet = await world.http.get("/crypto/v1/wallets", headers=headers)
        finally:
            os.kill(billing, signal.SIGCONT)

        assert profile.json()["coin_balance"] == 0
        assert wallet.status_code == httpx.codes.OK
        assert (await has_a_home(world, juma))["subscription"] == "free"
