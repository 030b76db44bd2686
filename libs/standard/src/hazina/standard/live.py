"""A service that listens on a real port, for tests that come from outside."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvloop

from hazina.chassis import Clock, asgi
from hazina.chassis.run import listen, server
from hazina.pg import Database
from hazina.standard.tokens import Signer
from hazina.standard.under_test import UnderTest

START_WAIT_S = 10


@contextmanager
def live(under_test: UnderTest, settings: Any, clock: Clock, signer: Signer) -> Iterator[str]:
    """Serve the API from a thread with a loop of its own; give its address."""
    started = threading.Event()
    stop: list[Any] = []

    async def serve(taken: socket.socket) -> None:
        db = Database(settings.database_url.get_secret_value())
        service = under_test.built(settings, db, clock, signer)
        serving = server(service, asgi(service))
        stop.append(lambda: setattr(serving, "should_exit", True))
        started.set()
        await serving.serve(sockets=[taken])
        await db.close()

    def run(taken: socket.socket) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(taken))

    with listen(under_test.name, "127.0.0.1", 0) as taken:
        thread = threading.Thread(target=run, args=(taken,), name="live")
        thread.start()
        try:
            assert started.wait(START_WAIT_S), "the service did not start"
            yield f"http://127.0.0.1:{taken.getsockname()[1]}"
        finally:
            for end in stop:
                end()
            thread.join()
