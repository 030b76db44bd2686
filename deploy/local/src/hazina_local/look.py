"""How the other commands look into a running house: its state, its logs, its database."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from hazina.embedded import Trouble, pg_bin_dir
from hazina.embedded.nats import OPERATOR
from hazina_local.folder import Folder, State
from hazina_local.names import DATABASE, SERVICES, TRACES
from hazina_local.part import answers

DOWN_WAIT_S = 40
RESTART_WAIT_S = 60
POLL_S = 0.1
TAIL_BYTES = 20_000


def down(folder: Folder) -> bool:
    """End the house that holds the folder, and wait until it is gone; false when none did."""
    holder = folder.holder()
    if holder is None:
        return False
    house = psutil.Process(holder)
    house.terminate()
    late = time.monotonic() + DOWN_WAIT_S
    # A container's first process may never collect it: a zombie is as good as gone.
    while house.is_running() and house.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > late:
            raise Trouble(f"process {holder} did not end in {DOWN_WAIT_S} s")
        time.sleep(POLL_S)
    return True


def restart(folder: Folder, service: str) -> None:
    """End one service by its id; the house starts it again. Returns when it is ready."""
    old = _part(folder.state(), service)["pid"]
    os.kill(old, signal.SIGTERM)
    late = time.monotonic() + RESTART_WAIT_S
    while True:
        part = _part(folder.state(), service)
        if part["stand"] == "ready" and part["pid"] != old:
            return
        if time.monotonic() > late:
            raise Trouble(f"{service} was not ready again: {part['detail'] or 'see its log'}")
        time.sleep(POLL_S)


def health(state: State) -> dict[str, bool]:
    """Ask every service right now whether it is ready."""

    async def ask() -> dict[str, bool]:
        ready = [answers(state.parts[service]["port"], "/readyz") for service in SERVICES]
        return dict(zip(SERVICES, await asyncio.gather(*ready), strict=True))

    return asyncio.run(ask())


def lines(log: Path, *, follow: bool) -> Iterator[str]:
    """The end of a log, and with `follow` whatever comes after it."""
    if not log.exists():
        raise Trouble(f"there is no log {log}")
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        if file.tell():
            file.readline()
        while True:
            line = file.readline()
            if line:
                yield line.decode(errors="replace").rstrip("\n")
            elif follow:
                time.sleep(POLL_S)
            else:
                return


def psql(folder: Folder, who: str, words: list[str], *, owner: bool) -> int:
    """Open a prompt, or run what `words` say, as a service sees its own schema.

    Row security is told that the service itself is asking, so every row is there.
    """
    port = _part(folder.state(), "postgres")["port"]
    role, password = credentials(folder, f"{who}_owner" if owner else who)
    program = pg_bin_dir() / "psql"
    if not program.exists():
        raise Trouble(f"there is no `psql` in {program.parent}; set HAZINA_PG_BIN_DIR")
    database = "postgres" if who == "postgres" else DATABASE
    address = ["-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(
        [program, *address, "-U", role, "-d", database, *words],
        env=os.environ | {"PGPASSWORD": password, "PGOPTIONS": "-c app.role=service"},
        check=False,
    ).returncode


def credentials(folder: Folder, role: str) -> tuple[str, str]:
    """A role of the database and its password."""
    if role == "postgres":
        return role, (folder.path / "pg" / "admin_password").read_text()
    passwords = folder.secrets().passwords
    if role not in passwords:
        raise Trouble(f"there is no {role}; there are {', '.join((*SERVICES, 'postgres'))}")
    return role, passwords[role]


def traces_dsn(folder: Folder) -> str:
    """Where this house keeps its traces."""
    return dsn(folder, TRACES)


def nats_url(folder: Folder) -> str:
    """Where the broker's operator, who may do everything, connects."""
    password = (folder.path / "nats" / f"{OPERATOR}_password").read_text()
    return f"nats://{OPERATOR}:{password}@127.0.0.1:{_part(folder.state(), 'nats')['port']}"


def dsn(folder: Folder, who: str) -> str:
    """Where and how a role of this house's database connects."""
    port = _part(folder.state(), "postgres")["port"]
    role, password = credentials(folder, who)
    return f"postgresql://{role}:{password}@127.0.0.1:{port}/{DATABASE}"


def environment(folder: Folder) -> Mapping[str, str]:
    """What the services of this house are told, with where it is reached from outside."""
    state = folder.state()
    told = dict(
        line.removeprefix("export ").split("=", 1)
        for line in folder.env_file.read_text().splitlines()
    )
    told = {name: value.strip("'") for name, value in told.items()}
    return {"HAZINA_URL": state.gateway, "HAZINA_DATA": str(folder.path), **told}


def run_module(folder: Folder, words: list[str]) -> int:
    """Run a module of this environment as a service of the house would be run."""
    return subprocess.run(
        [sys.executable, "-m", *words], env=with_own(environment(folder)), check=False
    ).returncode


def with_own(told: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, and over it what services are told."""
    return {**os.environ, **told}


def _part(state: State, name: str) -> dict[str, Any]:
    if name not in state.parts:
        raise Trouble(f"there is no {name}; there are {', '.join(state.parts)}")
    return state.parts[name]
