"""The house: starts every part at once, keeps it running, and ends it in order."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from hazina.embedded import Child, Envoy, Nats, Postgres, Trouble, free_port
from hazina.embedded.ports import is_free
from hazina_gateway import render
from hazina_local import dev, environment
from hazina_local.environment import Addresses
from hazina_local.folder import Folder, State
from hazina_local.names import AUDIENCE, ISSUER, SERVICES, TRACES
from hazina_local.nursery import Nursery
from hazina_local.part import Part, Stand, answers, restart_wait_s

GATEWAY_PORT = 8080
POLL_S = 0.03
WATCH_S = 0.2
MIGRATE_WAIT_S = 120
READY_WAIT_S = 180  # a machine that is busy with other work
STOP_WAIT_S = 8
STEADY_S = 30  # a part that ran this long starts again at once


class House:
    """Every part on one machine, for as long as `run()` runs."""

    def __init__(
        self,
        folder: Folder,
        *,
        nursery: Nursery | None = None,
        port: int | None = None,
        rates: str = "",
    ) -> None:
        """Take the folder, which the caller holds; `port` is the gateway's.

        From a `nursery` services are forked the first time; the house closes it.
        """
        self.folder = folder
        self._rates = rates
        self._secrets = folder.secrets()
        self.at = Addresses(
            postgres=free_port(),
            nats=free_port(),
            gateway=_gateway_port(port),
            dev=free_port(),
            smtp=free_port(),
            services={service: free_port() for service in SERVICES},
        )
        self._postgres = Postgres(folder.path / "pg", port=self.at.postgres)
        self._nats = Nats(
            folder.path / "nats", SERVICES, port=self.at.nats, passwords=self._secrets.passwords
        )
        self._envoy = Envoy(folder.path / "envoy", self._gateway_config())
        self._told = environment.all_services(self.at, self._secrets)
        self._services: dict[str, Child] = {}
        self._nursery = nursery
        self._forked: set[str] = set()
        self.parts = {
            "postgres": Part("postgres", self.at.postgres),
            "nats": Part("nats", self.at.nats),
            "migrations": Part("migrations", 0),
            **{name: Part(name, port) for name, port in self.at.services.items()},
            "mail": Part("mail", self.at.smtp),
            "traces": Part("traces", self.at.dev),
            "gateway": Part("gateway", self.at.gateway),
        }
        self.state = State(
            pid=os.getpid(),
            gateway=f"http://127.0.0.1:{self.at.gateway}",
            dev=f"http://127.0.0.1:{self.at.dev}",
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self._began = time.monotonic()
        self.ready = asyncio.Event()
        self._postgres_ready = asyncio.Event()
        self._identity_ready = asyncio.Event()
        self.changed: Callable[[Part], None] = lambda _: None

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, keep it running until `stop` is set, then end it in order.

        Trouble when a part cannot start at all; then everything else is ended too.
        """
        self.folder.write_env(self._told)
        pages = asyncio.create_task(self._serve_dev(), name="traces")
        ending = asyncio.create_task(stop.wait())
        watching: list[asyncio.Task[None]] = []
        try:
            starting = asyncio.create_task(self._start())
            if not await _first(starting, ending, pages):
                starting.cancel()
                return
            self._note_ready()
            watching = [asyncio.create_task(self._watch(name)) for name in self._restarts()]
            await _first(ending, pages)
        finally:
            for task in (*watching, ending, pages):
                task.cancel()
            await asyncio.gather(*watching, ending, pages, return_exceptions=True)
            await self._stop()
            self.folder.forget_state()

    def _note_ready(self) -> None:
        self.state.ready = True
        self.state.ready_after_s = round(time.monotonic() - self._began, 2)
        self._save()
        self.ready.set()

    async def _start(self) -> None:
        """Everything at once: each part waits by itself for what it needs."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._start_part("postgres", self._start_postgres))
                group.create_task(self._start_part("nats", self._start_nats))
                group.create_task(self._start_part("migrations", self._migrate))
                for service in SERVICES:
                    group.create_task(self._start_part(service, self._serve(service)))
                group.create_task(self._start_part("gateway", self._start_gateway))
        except ExceptionGroup as several:
            # One cause is enough to read; the others mostly follow from it.
            raise _first_trouble(several) from None

    async def _start_part(self, name: str, start: Callable[[], Awaitable[int | None]]) -> None:
        self._show(name, Stand.STARTING)
        pid = await start()
        self.parts[name].ready_after_s = round(time.monotonic() - self._began, 2)
        self._show(name, Stand.READY, pid=pid)

    async def _start_postgres(self) -> int:
        await asyncio.to_thread(self._postgres.start)
        self._postgres_ready.set()
        return self._postgres.pid

    async def _start_nats(self) -> int:
        await asyncio.to_thread(self._nats.start)
        return self._nats.pid

    async def _migrate(self) -> None:
        log = self.folder.log("migrations")
        log.unlink(missing_ok=True)
        words = ["hazina_local.migrate", str(self.folder.path)]
        told = {"HAZINA_ADMIN_DSN": self._postgres.admin_dsn}
        child = await asyncio.to_thread(self._python, "migrations", words, told)
        try:
            code = await asyncio.to_thread(child.wait, MIGRATE_WAIT_S)
        except subprocess.TimeoutExpired:
            raise Trouble(f"migrating took more than {MIGRATE_WAIT_S} s; see {log}") from None
        finally:
            child.stop()
        if code != 0:
            raise Trouble(f"the database could not be migrated: {child.last_words()}")

    def _serve(self, service: str) -> Callable[[], Awaitable[int]]:
        async def start() -> int:
            # Interpreters that load at once would starve the database they all wait for.
            await self._postgres_ready.wait()
            child = await asyncio.to_thread(self._python, service, [service], self._told)
            self._services[service] = child
            self.parts[service].pid = child.pid
            late = time.monotonic() + READY_WAIT_S
            while not await answers(self.at.services[service], "/readyz"):
                if child.exit_code is not None:
                    raise Trouble(f"{service} did not start: {child.last_words()}")
                if time.monotonic() > late:
                    raise Trouble(f"{service} was not ready in {READY_WAIT_S} s; see {child.log}")
                await asyncio.sleep(POLL_S)
            if service == "identity":
                self._identity_ready.set()
            return child.pid

        return start

    def _python(self, name: str, words: list[str], told: Mapping[str, str]) -> Child:
        """Start `python -m WORDS`: from the nursery the first time, later by itself."""
        log, env = self.folder.log(name), {**os.environ, **told}
        if self._nursery is not None and name not in self._forked:
            self._forked.add(name)
            with suppress(Trouble):
                return self._nursery.bear(name, words, log=log, env=env)
        return Child(name, [sys.executable, "-m", *words], log=log, env=env)

    async def _start_gateway(self) -> int:
        # Its listener opens only when identity's keys are there; asked earlier it would back off.
        await self._identity_ready.wait()
        await asyncio.to_thread(self._envoy.start)
        return self._envoy.pid

    async def _serve_dev(self) -> None:
        """Receive spans and mails in this process, and show them."""
        dsn = self.at.dsn(TRACES, self._secrets.passwords[TRACES])
        for name in ("mail", "traces"):
            self._show(name, Stand.READY, pid=os.getpid())
        await dev.serve(dsn, port=self.at.dev, smtp_port=self.at.smtp)

    def _restarts(self) -> dict[str, Callable[[], Awaitable[int | None]]]:
        return {
            "postgres": self._start_postgres,
            "nats": self._start_nats,
            "gateway": self._start_gateway,
            **{service: self._serve(service) for service in SERVICES},
        }

    async def _watch(self, name: str) -> None:
        """Start a part again whenever it ends; the oftener in a row, the later."""
        start = self._restarts()[name]
        in_a_row = 0
        began = time.monotonic()
        while True:
            await asyncio.sleep(WATCH_S)
            if self._alive(name):
                continue
            in_a_row = 0 if time.monotonic() - began > STEADY_S else in_a_row + 1
            wait_s = restart_wait_s(in_a_row)
            self.parts[name].restarts += 1
            self._show(name, Stand.RESTARTING, detail=f"it ended; again in {wait_s:.1f} s")
            await asyncio.sleep(wait_s)
            began = time.monotonic()
            try:
                pid = await start()
            except Trouble as trouble:
                self._show(name, Stand.RESTARTING, detail=str(trouble))
            else:
                self._show(name, Stand.READY, pid=pid)

    def _alive(self, name: str) -> bool:
        match name:
            case "postgres":
                return self._postgres.alive
            case "nats":
                return self._nats.alive
            case "gateway":
                return self._envoy.alive
            case service:
                return self._services[service].exit_code is None

    async def _stop(self) -> None:
        """End what faces the outside first, and what everybody stands on last."""
        await asyncio.to_thread(self._envoy.stop)
        services = self._services.values()
        await asyncio.gather(*(asyncio.to_thread(child.stop, STOP_WAIT_S) for child in services))
        if self._nursery is not None:
            await asyncio.to_thread(self._nursery.close)
        await asyncio.gather(
            asyncio.to_thread(self._nats.stop), asyncio.to_thread(self._postgres.stop)
        )

    def _show(self, name: str, stand: Stand, *, pid: int | None = None, detail: str = "") -> None:
        part = self.parts[name]
        part.stand, part.detail = stand, detail
        part.pid = pid if pid is not None else part.pid
        self._save()
        self.changed(part)

    def _save(self) -> None:
        self.state.parts = {
            name: {
                "stand": part.stand.value,
                "pid": part.pid,
                "port": part.port,
                "restarts": part.restarts,
                "ready_after_s": part.ready_after_s,
                "detail": part.detail,
            }
            for name, part in self.parts.items()
        }
        self.folder.write_state(self.state)

    def _gateway_config(self) -> dict[str, object]:
        here = "127.0.0.1"
        return render(
            services={name: (here, port) for name, port in self.at.services.items()},
            listen=(here, self.at.gateway),
            admin=(here, free_port()),
            issuer=ISSUER,
            audience=AUDIENCE,
            otlp=(here, self.at.dev),
            dev=(here, self.at.dev),
            rates=self._rates,
        )


async def _first(wanted: asyncio.Task[Any], *others: asyncio.Task[Any]) -> bool:
    """Wait until one is done; raise what went wrong in it, or tell whether it was `wanted`."""
    done, _ = await asyncio.wait({wanted, *others}, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return wanted in done


def _gateway_port(asked: int | None) -> int:
    """The port that was asked for, or the usual one, or any free one when that is taken."""
    if asked is None:
        return GATEWAY_PORT if is_free(GATEWAY_PORT) else free_port()
    if not is_free(asked):
        raise Trouble(f"port {asked} is taken; give another with --port")
    return asked


def _first_trouble(several: ExceptionGroup[Exception]) -> Exception:
    for one in several.exceptions:
        if isinstance(one, ExceptionGroup):
            return _first_trouble(one)
        if isinstance(one, Trouble):
            return one
    return several.exceptions[0]
