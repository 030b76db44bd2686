"""NATS from the wheel: what a service may say there, and what it may not."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.js.errors import APIError

from hazina.embedded import Nats, Trouble

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Nats]:
    """A running broker for two services."""
    with Nats(tmp_path / "nats", ["ledger", "streaming"]) as running:
        yield running


class Spoken:
    """A connection that remembers what the broker refused."""

    def __init__(self) -> None:
        self.refusals: list[str] = []

    async def connect(self, url: str) -> Client:
        return await nats.connect(url, error_cb=self._refused)

    async def _refused(self, error: Exception) -> None:
        self.refusals.append(str(error).lower())


@pytest.fixture
async def ledger(server: Nats) -> AsyncIterator[Client]:
    """The ledger, connected, with its own stream made."""
    client = await Spoken().connect(server.url_for("ledger"))
    await client.jetstream().add_stream(name="EVT_LEDGER", subjects=["evt.ledger.>"])
    yield client
    await client.close()


class TestService:
    async def test_says_its_own_events_and_hears_those_of_others(
        self, server: Nats, ledger: Client
    ) -> None:
        await ledger.jetstream().publish("evt.ledger.0.gift.sent.v1", b"100")
        hearing = await Spoken().connect(server.url_for("streaming"))
        heard = await hearing.jetstream().subscribe("evt.ledger.>", ordered_consumer=True)

        message = await heard.next_msg(timeout=5)

        assert message.data == b"100"
        assert message.subject == "evt.ledger.0.gift.sent.v1"
        await hearing.close()

    @pytest.mark.parametrize("subject", ["evt.ledger.0.gift.sent.v1", "$JS.API.STREAM.PURGE.X"])
    async def test_is_refused_to_speak_for_another(
        self, server: Nats, ledger: Client, subject: str
    ) -> None:
        spoken = Spoken()
        liar = await spoken.connect(server.url_for("streaming"))

        await liar.publish(subject, b"1000000")
        await liar.flush()
        await asyncio.sleep(0.1)

        assert spoken.refusals == [
            f'nats: permissions violation for publish to "{subject.lower()}"'
        ]
        assert (await ledger.jetstream().stream_info("EVT_LEDGER")).state.messages == 0
        await liar.close()

    @pytest.mark.parametrize("request_", ["DELETE", "PURGE", "CREATE"])
    async def test_is_refused_another_ones_stream(
        self, server: Nats, ledger: Client, request_: str
    ) -> None:
        spoken = Spoken()
        liar = await spoken.connect(server.url_for("streaming"))

        with pytest.raises((nats.errors.TimeoutError, nats.errors.NoRespondersError)):
            await liar.request(f"$JS.API.STREAM.{request_}.EVT_LEDGER", b"{}", timeout=0.3)

        assert len(spoken.refusals) == 1
        assert (await ledger.jetstream().stream_info("EVT_LEDGER")).config.name == "EVT_LEDGER"
        await liar.close()

    async def test_needs_its_password(self, server: Nats) -> None:
        reading, writing = await asyncio.open_connection("127.0.0.1", server.port)
        await reading.readline()

        writing.write(b'CONNECT {"user":"ledger","pass":"wrong","verbose":true}\r\n')

        assert await reading.readline() == b"-ERR 'Authorization Violation'\r\n"
        writing.close()
        await writing.wait_closed()


class TestNats:
    async def test_lets_the_operator_do_everything(self, server: Nats, ledger: Client) -> None:
        operator = await Spoken().connect(server.url)

        assert await operator.jetstream().delete_stream("EVT_LEDGER") is True

        with pytest.raises(APIError):
            await ledger.jetstream().stream_info("EVT_LEDGER")
        await operator.close()

    async def test_keeps_what_it_acknowledged_when_it_is_killed(
        self, server: Nats, ledger: Client
    ) -> None:
        acknowledged = await ledger.jetstream().publish("evt.ledger.1.gift.sent.v1", b"kept")
        await ledger.close()

        server.kill()
        server.start()

        again = await Spoken().connect(server.url_for("ledger"))
        message = await again.jetstream().get_msg("EVT_LEDGER", acknowledged.seq)
        assert message.data == b"kept"
        await again.close()

    async def test_says_which_port_is_taken(self, server: Nats, tmp_path: Path) -> None:
        second = Nats(tmp_path / "second", port=server.port)

        with pytest.raises(Trouble, match=f"port {server.port} is taken; NATS cannot listen"):
            second.start()
