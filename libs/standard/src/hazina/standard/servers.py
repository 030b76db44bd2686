"""The servers that tests talk to: real ones, from wheels, gone when the tests are."""

import shutil
import tempfile
from pathlib import Path

import nats

from hazina.embedded import Nats, Postgres

MODE = 0o755  # when root runs the tests, PostgreSQL runs as nobody and must reach its folder


class Servers:
    """One PostgreSQL and one broker, each started when first asked for."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._postgres: Postgres | None = None
        self._nats: Nats | None = None

    def postgres(self) -> Postgres:
        """Give the database server; it forgets everything when the machine fails, and is fast."""
        if self._postgres is None:
            self._postgres = Postgres(self._data() / "postgres", durable=False)
            self._postgres.start()
        return self._postgres

    def nats(self) -> Nats:
        """Give the broker."""
        if self._nats is None:
            self._nats = Nats(self._data() / "nats")
            self._nats.start()
        return self._nats

    def stop(self) -> None:
        """End what was started and remove its data."""
        for server in (self._nats, self._postgres):
            if server is not None:
                server.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = self._nats = self._postgres = None

    def _data(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="hazina-test-"))
            self._folder.chmod(MODE)
        return self._folder


async def forget_streams(url: str) -> None:
    """Delete every stream of the broker: a ledger that was emptied and its stream would differ."""
    client = await nats.connect(url)
    try:
        for stream in await client.jetstream().streams_info():
            await client.jetstream().delete_stream(str(stream.config.name))
    finally:
        await client.close()
