"""What runs beside the requests: the relay, the listener and the timers, none of which dies."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from hazina import idempotency, outbox
from hazina.chassis import telemetry
from hazina.chassis.service import Service, Timer
from hazina.problems import Unavailable

logger = logging.getLogger("hazina.chassis")

ROLES = ("http", "relay", "listen", "work")
JITTER = 0.1  # of a period, so that processes that started together do not stay together
FIRST_RUN_S = 2  # a timer runs soon after the start, spread over this many seconds
RESTART_WAIT_S = 1
RESTART_WAIT_S_MAX = 30

Runner = Callable[[asyncio.Event], Awaitable[None]]


async def rest(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but wake at once when the service stops."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def forever(name: str, run: Runner, stop: asyncio.Event) -> None:
    """Run `run` until the service stops; when it fails, say so, wait and begin it again."""
    wait = float(RESTART_WAIT_S)
    while not stop.is_set():
        try:
            await run(stop)
            wait = RESTART_WAIT_S
        except Exception:
            logger.exception("role failed", extra={"role": name, "again_in_s": wait})
        if not stop.is_set():
            await rest(stop, wait * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311  jitter
            wait = min(wait * 2, RESTART_WAIT_S_MAX)


async def tick(service: Service, timer: Timer, stop: asyncio.Event) -> None:
    """Run `timer` every so often; what goes wrong is logged and counted, and never ends it."""
    await rest(stop, random.uniform(0, min(timer.every_s, FIRST_RUN_S)))  # noqa: S311  jitter
    while not stop.is_set():
        outcome = await run_once(service, timer)
        telemetry.TIMER_RUNS.labels(service.name, timer.name, outcome).inc()
        await rest(stop, timer.every_s * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311


async def run_once(service: Service, timer: Timer) -> str:
    """Run `timer` now and name how it ended."""
    try:
        with telemetry.tracer.start_as_current_span(f"timer {timer.name}"):
            rows = await timer.run(service.db, service.clock())
    except Unavailable:
        logger.warning("timer waits for the database", extra={"timer": timer.name})
        return "unavailable"
    except Exception:
        logger.exception("timer failed", extra={"timer": timer.name})
        return "failed"
    telemetry.TIMER_ROWS.labels(service.name, timer.name).inc(rows)
    return "done"


def runners(service: Service, roles: frozenset[str]) -> dict[str, Runner]:
    """Name everything that `roles` run beside the requests."""
    settings = service.settings
    found: dict[str, Runner] = {}
    if "relay" in roles:
        relay = outbox.Relay(service.db, settings.nats_url, service.name)
        found["relay"] = relay.run
    if "listen" in roles and service.sources:
        listener = outbox.Listener(
            service.db, settings.nats_url, consumer=service.name, sources=service.sources
        )
        found["listen"] = listener.run
    if "work" in roles:
        for timer in (*service.timers, IDEMPOTENCY_EXPIRY):
            found[f"timer {timer.name}"] = _timer(service, timer)
    return found


IDEMPOTENCY_EXPIRY = Timer("idempotency_expiry", 600, idempotency.expire)


def _timer(service: Service, timer: Timer) -> Runner:
    async def run(stop: asyncio.Event) -> None:
        await tick(service, timer, stop)

    return run
