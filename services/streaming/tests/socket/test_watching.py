from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI

from ..given import Somebody, is_state, socket

pytestmark = pytest.mark.anyio


@pytest.fixture
def juma(web: httpx.AsyncClient, token: Callable[..., str]) -> Somebody:
    """A host."""
    return Somebody(web, token)


@pytest.fixture
def amina(web: httpx.AsyncClient, token: Callable[..., str]) -> Somebody:
    """A viewer."""
    return Somebody(web, token)


class TestWatch:
    async def test_publishes_with_the_first_viewer(
        self, served: FastAPI, juma: Somebody, amina: Somebody
    ) -> None:
        _, box_id = await juma.goes_live()
        assert (await juma.get(f"/boxes/{box_id}"))["is_published"] is False

        async with (
            socket(served.state.address, juma.token()) as camera,
            socket(served.state.address, amina.token()) as screen,
        ):
            await camera.call("subscribe", channel=f"ctl:{box_id}")
            reply = await screen.call("subscribe", channel=f"box:{box_id}")
            told = await camera.until(is_state(published=True))

        assert reply["subscribe"]["data"]["is_published"] is True
        assert reply["subscribe"]["data"]["publish_version"] == 1
        assert (told["reason"], told["version"]) == ("first_viewer", 1)
        assert told["media_path"].startswith("box_")
