"""The command `hazina`: one function a command, each a few lines."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from hazina.embedded import Trouble
from hazina_local import folder as folders
from hazina_local.folder import Folder

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The whole house on one laptop: start it, look into it, play the story.",
)
ledger_app = typer.Typer(no_args_is_help=True, help="Prove that no money was made or lost.")
app.add_typer(ledger_app, name="ledger")

# A file or a pipe has no width of its own; 80 columns would cut ids off.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
DataOption = Annotated[
    Path | None, typer.Option("--data", help="Where the house's data is.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> NoReturn:
    """Do what the command line asks; what is wrong is said in one sentence."""
    if {"outbox", "inbox", "--help"} & set(sys.argv[1:2]):
        # They load the database's and the broker's clients, which other commands need not wait for.
        from hazina_local.handoff import inbox_app, outbox_app  # noqa: PLC0415

        app.add_typer(outbox_app, name="outbox")
        app.add_typer(inbox_app, name="inbox")
    try:
        app()
    except Trouble as trouble:
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"hazina: {trouble}", markup=False
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


@app.command()
def up(
    data: DataOption = None,
    ephemeral: Annotated[bool, typer.Option(help="Keep nothing when it ends.")] = False,
    port: Annotated[int | None, typer.Option(help="The gateway's port.", min=1, max=65535)] = None,
    detach: Annotated[
        bool, typer.Option(help="Return when it is ready, and leave it running.")
    ] = False,
) -> None:
    """Start everything and keep it running: database, broker, five services, gateway."""
    if detach and ephemeral:
        raise Trouble("an ephemeral house ends with its command; leave out --detach")
    if detach:
        from hazina_local import detached  # noqa: PLC0415 - what it starts loads the rest

        detached.detach(_folder(data), console, port=port)
        return
    from hazina_local import nursery  # noqa: PLC0415

    loaded = nursery.load()  # while we load the rest
    from hazina_local import up as starting  # noqa: PLC0415 - `hazina status` needs none of it

    rates = os.environ.get("HAZINA_GATEWAY_RATES", "")
    if ephemeral:
        with folders.ephemeral() as path:
            asyncio.run(starting.serve(Folder(path), console, loaded, port=port, rates=rates))
    else:
        asyncio.run(starting.serve(_folder(data), console, loaded, port=port, rates=rates))


@app.command()
def down(data: DataOption = None) -> None:
    """End the house, in order."""
    from hazina_local import look  # noqa: PLC0415

    console.print("stopped" if look.down(_folder(data)) else "nothing was running")


@app.command()
def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show how every part stands; exit 1 when one is not ready."""
    from hazina_local import look, screen  # noqa: PLC0415

    state = _folder(data).state()
    for service, ready in look.health(state).items():
        if not ready and state.parts[service]["stand"] == "ready":
            state.parts[service] |= {"stand": "restarting", "detail": "it does not answer"}
    ready = all(part["stand"] == "ready" for part in state.parts.values())
    if as_json:
        sys.stdout.write(
            json.dumps({"ready": ready, "gateway": state.gateway, "parts": state.parts})
        )
        sys.stdout.write("\n")
    else:
        console.print(screen.table(state), f"\n{state.gateway}")
    raise typer.Exit(0 if ready else 1)


@app.command()
def logs(
    part: Annotated[str, typer.Argument(help="A service, postgres, nats, gateway or migrations.")],
    data: DataOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
) -> None:
    """Show the end of a part's log."""
    from hazina_local import look  # noqa: PLC0415

    for line in look.lines(_folder(data).log(part), follow=follow):
        sys.stdout.write(line + "\n")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="Whose schema; `postgres` is the superuser.")],
    data: DataOption = None,
    owner: Annotated[bool, typer.Option(help="As the schema's owner, who migrates.")] = False,
) -> None:
    """Open a database prompt as a service; more words go to psql."""
    from hazina_local import look  # noqa: PLC0415

    raise typer.Exit(look.psql(_folder(data), service, context.args, owner=owner))


@app.command()
def restart(service: str, data: DataOption = None) -> None:
    """End one part and wait until it is ready again."""
    from hazina_local import look  # noqa: PLC0415

    look.restart(_folder(data), service)
    console.print(f"{service} is ready again")


@app.command()
def env(data: DataOption = None) -> None:
    """Print what services are told, for `eval "$(hazina env)"`; it holds passwords."""
    from hazina_local import look  # noqa: PLC0415

    for name, value in look.environment(_folder(data)).items():
        sys.stdout.write(f"export {name}='{value}'\n")


@app.command()
def trace(
    trace_id: Annotated[str, typer.Argument(help="A trace, or its first digits.")] = "",
    data: DataOption = None,
    every: Annotated[bool, typer.Option("--all", help="Inner steps and small traces too.")] = False,
) -> None:
    """Draw a trace with the waits between services; without an id, list those of the last hour."""
    from hazina_local import look  # noqa: PLC0415
    from hazina_local.traces import store, terminal  # noqa: PLC0415
    from hazina_local.traces.waterfall import waterfall  # noqa: PLC0415

    dsn = look.traces_dsn(_folder(data))
    if not trace_id:
        found = asyncio.run(store.list_recent(dsn, services_min=1 if every else 2))
        console.print(terminal.list_of(found) if found else "nothing was traced in the last hour")
        return
    spans = asyncio.run(store.read_trace(dsn, trace_id))
    if not spans:
        raise Trouble(f"no trace of the last hour begins with {trace_id}")
    console.print(terminal.draw(spans[0].trace_id, waterfall(spans, quiet=not every)))


@app.command()
def demo(data: DataOption = None) -> None:
    """Play the whole story and print what changed; exit 1 when anything was wrong."""
    from hazina_local import demo as story  # noqa: PLC0415

    asyncio.run(story.play(_folder(data), console))


@ledger_app.command("check")
def ledger_check(
    data: DataOption = None,
    full: Annotated[
        bool, typer.Option(help="Every entry ever written, not only new ones.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove that every balance equals the sum of its entries; exit 1 on any finding."""
    from hazina_local import look  # noqa: PLC0415

    asked = ["--full"] * full + ["--json"] * as_json
    raise typer.Exit(look.run_module(_folder(data), ["ledger", "check", *asked]))


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="A file of `benchmarks/`; none runs them all.")] = "",
) -> None:
    """Measure one bar; the last line is one JSON object."""
    command = [sys.executable, "-m", "benchmarks", *([name] if name else [])]
    raise typer.Exit(subprocess.run(command, cwd=_repository(), check=False).returncode)


def _folder(data: Path | None) -> Folder:
    return Folder(data.expanduser() if data is not None else folders.usual())


def _repository() -> Path:
    for place in (Path.cwd(), *Path.cwd().parents, *Path(__file__).parents):
        if (place / "benchmarks").is_dir() and (place / "requirements.lock").exists():
            return place
    raise Trouble("benchmarks are part of a clone; run this inside one")
