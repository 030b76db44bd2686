"""`python -m <service>`: serve until told to stop, migrate, or say what the service is."""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

import psycopg
import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import ValidationError

from hazina.chassis import health, logs, roles, telemetry
from hazina.chassis.service import Clock, Service, asgi, wall_clock
from hazina.chassis.settings import ServiceSettings
from hazina.pg import Database

logger = logging.getLogger("hazina.chassis")

EXIT_CONFIG = 78  # sysexits.h: something is set wrongly
EXIT_UNAVAILABLE = 69  # sysexits.h: something that we need does not answer
KEEP_ALIVE_S = 75  # longer than the gateway keeps an idle connection, so that it closes first
WS_MESSAGE_BYTES_MAX = 64 * 1024
BACKLOG = 2048  # connections that wait to be accepted
RETRY_WAIT_S = 0.25
CONNECT_TIMEOUT_S = 5

S = TypeVar("S", bound=ServiceSettings)


def main(
    name: str, settings_class: type[S], build: Callable[[S, Database, Clock], Service]
) -> NoReturn:
    """Do what the command line asks of service `name`, and exit.

    0 when done, 2 for a command line that makes no sense, 69 when PostgreSQL or the port cannot
    be had, 78 when the settings are wrong; each with a sentence on standard error.
    """
    asked = _arguments(name)
    if asked.command == "settings":
        _print_settings(settings_class)
        sys.exit(0)
    try:
        told = settings_class.DESCRIBED if asked.command == "openapi" else {}
        settings = settings_class.model_validate(told) if told else settings_class()
    except ValidationError as bad:
        _exit(EXIT_CONFIG, _explain(settings_class, bad))
    db = Database(settings.database_url.get_secret_value(), pool_size=settings.database_pool_size)
    service = build(settings, db, wall_clock)
    if asked.command == "openapi":
        print(json.dumps(asgi(service).openapi(), indent=2, ensure_ascii=False))  # noqa: T201
        sys.exit(0)
    logs.start(name, settings.log_level)
    if asked.command == "migrate":
        _migrate(service, asked.down)
        sys.exit(0)
    flush = telemetry.start(name)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(service, frozenset(asked.only or roles.ROLES)))
    finally:
        flush()
    sys.exit(0)


def _arguments(name: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {name}")
    parser.add_argument(
        "command", nargs="?", default="serve", choices=["serve", "migrate", "openapi", "settings"]
    )
    parser.add_argument(
        "--only", action="append", choices=roles.ROLES, help="serve these roles and no other"
    )
    parser.add_argument("--down", metavar="REVISION", help="migrate back to this revision")
    return parser.parse_args()


async def serve(service: Service, wanted: frozenset[str]) -> None:
    """Run the roles that are `wanted` until SIGTERM or SIGINT, then stop in good order.

    Unready at once; open requests get `drain_s`; timers, relay and listener finish the
    transaction they are in.
    """
    await asyncio.to_thread(_wait, service, service.db.dsn)
    app = asgi(service, api="http" in wanted)
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    with listen(service.name, service.settings.host, service.settings.port) as taken:
        http = server(service, app)
        serving = asyncio.create_task(http.serve(sockets=[taken]), name="http")
        serving.add_done_callback(lambda _: stop.set())
        beside = _start_beside(app, wanted, stop)
        host, port = taken.getsockname()[:2]
        logger.info("listening", extra={"host": host, "port": port, "roles": sorted(wanted)})
        await stop.wait()
        logger.info("stopping")
        app.state.draining = True
        http.should_exit = True
        await _finish([serving, *beside], service.settings.drain_s)
    await service.db.close()
    logger.info("stopped")


def _start_beside(
    app: FastAPI, wanted: frozenset[str], stop: asyncio.Event
) -> list[asyncio.Task[None]]:
    """Start everything that runs beside the requests; /livez watches over it."""
    service: Service = app.state.service
    running = roles.runners(service, wanted)
    if "http" in wanted:
        running["revocations"] = app.state.verifier.revocations.run
    tasks = {
        name: asyncio.create_task(_beside(service, name, run, stop), name=name)
        for name, run in running.items()
    }
    app.state.tasks = tasks
    return list(tasks.values())


async def _beside(service: Service, name: str, run: roles.Runner, stop: asyncio.Event) -> None:
    """Run one role from the moment that the schema is there."""
    head = health.Head(service.migrations)
    while not stop.is_set() and (trouble := await health.trouble(service, head)):
        logger.warning("waiting", extra={"role": name, "for": trouble})
        await roles.rest(stop, RETRY_WAIT_S * 4)
    await roles.forever(name, run, stop)


async def _finish(tasks: list[asyncio.Task[None]], drain_s: float) -> None:
    """Let `tasks` end by themselves for `drain_s` seconds, then end them."""
    _, late = await asyncio.wait(tasks, timeout=drain_s + 1)
    for task in late:
        logger.warning("cut off", extra={"task": task.get_name()})
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            logger.error("ended badly", exc_info=ended)


def _wait(service: Service, dsn: str) -> None:
    """Wait politely until PostgreSQL answers; the broker is never waited for."""
    give_up = time.monotonic() + service.settings.database_wait_s
    told = False
    while True:
        try:
            psycopg.connect(dsn, connect_timeout=CONNECT_TIMEOUT_S).close()
        except psycopg.OperationalError as trouble:
            if time.monotonic() >= give_up:
                reason = str(trouble).strip().splitlines()[-1]
                waited = service.settings.database_wait_s
                _exit(
                    EXIT_UNAVAILABLE,
                    f"{service.name}: PostgreSQL did not answer within {waited:g} s: {reason}",
                )
            if not told:
                logger.warning("waiting for the database")
                told = True
            time.sleep(RETRY_WAIT_S)
        else:
            return


@contextlib.contextmanager
def listen(name: str, host: str, port: int) -> Iterator[socket.socket]:
    """Take the port for service `name`; 0 takes a free one. Exits 69 when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named, or asyncio leaves Nagle's algorithm on: 40 ms for each answer.
    taken = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        taken.listen(BACKLOG)
    except OSError as trouble:
        taken.close()
        reason = trouble.strerror or str(trouble)
        _exit(EXIT_UNAVAILABLE, f"{name}: cannot listen on {host}:{port}: {reason}")
    with taken:
        yield taken


class _Server(uvicorn.Server):
    """uvicorn, without its signal handlers: stopping is decided in one place."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server(service: Service, app: FastAPI) -> uvicorn.Server:
    """Make the HTTP server of `app`; `serve()` runs it until `should_exit`."""
    return _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            ws_ping_interval=None,  # protocols on top have pings of their own
            ws_max_size=WS_MESSAGE_BYTES_MAX,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=service.settings.drain_s,
            backlog=BACKLOG,
        )
    )


def _migrate(service: Service, down: str | None) -> None:
    # Only now: Alembic costs a fifth of a second of every start.
    from hazina.pg import migrations  # noqa: PLC0415

    url = service.settings.owner_database_url
    if url is None:
        _exit(EXIT_CONFIG, f"{service.name}: migrating needs the schema owner's database URL")
    _wait(service, url.get_secret_value())
    if down is None:
        migrations.upgrade(service.migrations, url.get_secret_value())
    else:
        migrations.downgrade(service.migrations, url.get_secret_value(), down)
    logger.info("migrated", extra={"to": down or migrations.head(service.migrations)})


def _print_settings(settings_class: type[ServiceSettings]) -> None:
    """Print every knob: its name in the environment, its default and its sentence."""
    prefix = settings_class.model_config.get("env_prefix", "")
    for name, knob in sorted(settings_class.model_fields.items()):
        default = "required" if knob.is_required() else f"default {knob.default!r}"
        print(f"{prefix}{name.upper()}  ({default})\n    {knob.description or ''}")  # noqa: T201


def _explain(settings_class: type[ServiceSettings], bad: ValidationError) -> str:
    """Say which settings are wrong, by the name that they have in the environment."""
    prefix = settings_class.model_config.get("env_prefix", "")
    lines = [
        f"  {prefix}{'_'.join(map(str, error['loc'])).upper()}: {error['msg']}"
        for error in bad.errors(include_input=False)
    ]
    return "\n".join(["the settings are wrong:", *lines])


def _exit(code: int, sentence: str) -> NoReturn:
    sys.stderr.write(sentence + os.linesep)
    sys.stderr.flush()
    # Also called from a thread, where SystemExit would end only the thread's work.
    raise SystemExit(code)
