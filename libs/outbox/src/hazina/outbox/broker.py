"""A connection to NATS that ends when it breaks, so that nobody resumes on a stale belief."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError

log = logging.getLogger("hazina.outbox")

CONNECT_WAIT_S = 2
RETRY_WAIT_S = 0.1
PENDING_MAX_BYTES = 8_000_000


@asynccontextmanager
async def connect(url: str, lost: Callable[[], None]) -> AsyncIterator[Client]:
    """Connect once; `lost` is called when the connection ends, for whatever reason."""

    async def closed() -> None:
        lost()

    async def failed(trouble: Exception) -> None:
        # Each request has its own answer and a lost connection closes; this names the reason.
        log.info("the broker says: %r", trouble)

    # The client tries again by itself, for two minutes: too long for somebody told to stop.
    async with asyncio.timeout(CONNECT_WAIT_S):
        client = await nats.connect(
            url,
            allow_reconnect=False,
            reconnect_time_wait=RETRY_WAIT_S,
            connect_timeout=CONNECT_WAIT_S,
            closed_cb=closed,
            error_cb=failed,
            pending_size=PENDING_MAX_BYTES,
            ping_interval=5,
            max_outstanding_pings=2,
        )
    try:
        yield client
    finally:
        with suppress(NatsError, OSError):
            await client.close()
