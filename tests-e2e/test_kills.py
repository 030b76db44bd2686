"""Gifts while the services that carry them are killed: every coin counted once, everywhere."""

import asyncio
import os
import signal
from contextlib import suppress

import httpx
import pytest

from hazina_local.story.coins import balances, deliver, give, payment_succeeded, start_purchase
from hazina_local.story.people import has_a_home, sign_up
from hazina_local.story.stage import go_live
from hazina_local.story.world import Person, World, Wrong, eventually

from .conftest import House

pytestmark = [pytest.mark.e2e, pytest.mark.anyio, pytest.mark.timeout(240)]

GIFTS, COINS = 24, 10
VICTIMS = ("ledger", "streaming", "ledger", "streaming", "ledger")
PATIENCE_S = 60


async def give_surely(
    world: World, amina: Person, juma: Person, n: int, where: dict[str, str]
) -> None:
    """Ask with one key until there is an answer, as an app that lost its connection would."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(Wrong, httpx.HTTPError):
                await give(
                    world, amina, juma, coins=COINS, key=f"gift-{n}-{amina.user_id}", **where
                )
                return
            await asyncio.sleep(0.2)


async def kill_in_turn(embedded: House) -> None:
    """Kill one service after the other, each as soon as the last one is back."""
    for victim in VICTIMS:
        before = embedded.pid(victim)
        os.kill(before, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE_S):
            while embedded.pid(victim) in {before, 0}:  # noqa: ASYNC110  the supervisor tells nobody
                await asyncio.sleep(0.1)
        await asyncio.sleep(1)


class TestGifts:
    async def test_are_exact_through_kills_of_their_services(
        self, world: World, embedded: House
    ) -> None:
        amina, juma = await sign_up(world, "Amina"), await sign_up(world, "Juma")
        for person in (amina, juma):
            await has_a_home(world, person)
        await deliver(world, payment_succeeded(await start_purchase(world, amina)))
        stream_id, box_id = await go_live(world, juma)
        where = {"stream_id": stream_id, "box_id": box_id}

        async with asyncio.TaskGroup() as group:
            group.create_task(kill_in_turn(embedded))
            for n in range(GIFTS):
                group.create_task(give_surely(world, amina, juma, n, where))
                await asyncio.sleep(0.3)

        spent = GIFTS * COINS
        hers, his = await balances(world, amina), await balances(world, juma)
        assert hers["coin_balance"] == 500 - spent
        assert hers["total_gifts_sent"] == his["total_gifts_received"] == spent
        assert 0 < his["earnings_balance"] < spent
        await eventually(
            "the stream's gift total",
            lambda: world.find(f"/streaming/v1/streams/{stream_id}/gifts/totals", juma),
            lambda totals: totals is not None and totals["coins"] == spent,
            within_s=PATIENCE_S,
        )
        assert "The book is right" in embedded.run("ledger", "check", "--full")
