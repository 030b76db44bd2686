import pytest

from hazina.auth import StaticKeys, Verifier
from hazina.chassis import wall_clock
from hazina.pg import Database
from streaming.cell.actions import Cells
from streaming.channel import rules as channels
from streaming.channel.actions import Hub
from streaming.chat.actions import Rooms
from streaming.presence.actions import Presence
from streaming.presence.rules import Pace
from streaming.socket.actions import Connection, House, take
from streaming.socket.actions import connection as connections
from streaming.socket.rules import Close, Command

pytestmark = pytest.mark.anyio

NOWHERE = Database("postgresql://nobody@127.0.0.1:1/nothing")


def house(*, ping_every_s: float = 12) -> House:
    hub = Hub()
    presence = Presence(
        NOWHERE,
        cells=Cells("r", lambda: 0.0),
        hub=hub,
        pace=Pace(),
        clock=wall_clock,
        monotonic=lambda: 0.0,
        viewers_max=-1,
    )
    return House(
        db=NOWHERE,
        hub=hub,
        presence=presence,
        rooms=Rooms(NOWHERE, hub),
        clock=wall_clock,
        monotonic=lambda: 0.0,
        ping_every_s=ping_every_s,
        pong_wait_s=8,
    )


@pytest.fixture
async def connection() -> Connection:
    """A connection whose client reads nothing."""
    keys = StaticKeys({"keys": []})
    verifier = Verifier(issuer="i", audience="a", keys=keys, clock=wall_clock)
    return Connection(house(), verifier)


class TestTell:
    async def test_drops_what_may_be_dropped_from_a_slow_reader(
        self, connection: Connection
    ) -> None:
        stats = channels.publication("stream:1", {"type": "stats", "filler": "x" * 1000})
        for _ in range(100):
            connection.tell(stats)

        assert connection.closing is None
        sent = await connection.next_frame()
        assert sent is not None
        assert len(sent) <= 64 * 1024 + 100
        connection.tell(stats)
        assert await connection.next_frame() == stats.text, "it reads again, and is told again"

    async def test_closes_a_slow_reader_rather_than_lose_a_number(
        self, connection: Connection
    ) -> None:
        for seq in range(1, 101):
            connection.tell(channels.publication("stream:1", {"filler": "x" * 1000}, seq))

        assert connection.closing is Close.SLOW

    async def test_keeps_back_what_comes_before_the_answer(self, connection: Connection) -> None:
        connection.open("stream:1")
        for seq in (4, 5, 6):
            connection.house.hub.spread([channels.publication("stream:1", {"n": seq}, seq)])
        connection.send("the answer, up to 5")
        connection.opened("stream:1", position=5)

        sent = await connection.next_frame()
        assert sent is not None
        answer, *pushes = sent.splitlines()
        assert answer == "the answer, up to 5"
        assert ['"offset":6' in push for push in pushes] == [True]

    async def test_says_nothing_more_once_closed(self, connection: Connection) -> None:
        connection.send("last")
        connection.close(Close.RATE)
        connection.send("too late")

        assert await connection.next_frame() == "last"
        assert await connection.next_frame() is None

    async def test_closes_who_asks_on_and_on_and_reads_nothing(
        self, connection: Connection
    ) -> None:
        for _ in range(20):
            connection.send("x" * 100_000)

        assert connection.closing is Close.SLOW
        sent = await connection.next_frame()
        assert sent is not None
        assert len(sent) <= 1024 * 1024 + 20


class TestTake:
    async def test_closes_who_floods_with_answers_to_pings(self, connection: Connection) -> None:
        for _ in range(59):
            await take(connection, Command())
        assert connection.closing is None, "so many are fine"

        for _ in range(22):
            await take(connection, Command())

        assert connection.closing is Close.RATE


class TestClock:
    async def test_closes_a_socket_that_never_says_who_it_is(
        self, connection: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "CONNECT_WITHIN_S", 0.05)
        connection.start_clock()

        assert await connection.next_frame() is None
        assert connection.closing is Close.STALE

    async def test_closes_a_socket_whose_token_is_long_over(self, connection: Connection) -> None:
        connection.expires_at = int(wall_clock().timestamp()) - 26
        connection._ping()

        assert connection.closing is Close.EXPIRED
