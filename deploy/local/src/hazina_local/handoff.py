"""`hazina outbox …` and `hazina inbox …`: what was said, what was heard, and what is stuck."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import nats
import nats.errors
import psycopg
import typer
from nats.aio.client import Client
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from hazina.embedded import Trouble
from hazina.outbox import tools
from hazina.outbox.tools.publishing import KEEP_DAYS
from hazina.pg import Database
from hazina.problems import Problem
from hazina_local import folder as folders
from hazina_local import look
from hazina_local.folder import Folder
from hazina_local.names import SERVICES

outbox_app = typer.Typer(no_args_is_help=True, help="What services said: numbered, published.")
inbox_app = typer.Typer(no_args_is_help=True, help="What services heard: how far, what is stuck.")
quarantine_app = typer.Typer(no_args_is_help=True, help="Facts that could not be applied.")
inbox_app.add_typer(quarantine_app, name="quarantine")

T = TypeVar("T")
DataOption = Annotated[Path | None, typer.Option("--data", help="The house's data folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ServiceArgument = Annotated[str, typer.Argument(help="A service.")]
EachArgument = Annotated[str, typer.Argument(help="A service; all of them when left out.")]
SourceOption = Annotated[str, typer.Option("--source", help="Who said it.")]
ShardOption = Annotated[int, typer.Option("--shard", min=0, help="Which shard of it.")]
SeqOption = Annotated[int, typer.Option("--seq", min=1, help="Its number.")]
KeyOption = Annotated[str, typer.Option("--key", help="The key whose facts wait.")]


@dataclass(frozen=True)
class Desk:
    """A service's database and the broker, as an operator has them."""

    service: str
    db: Database
    nats: Client


@outbox_app.command("status")
def outbox_status(
    service: EachArgument = "", data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Show of each shard who works on it, what is numbered, and what the stream has."""
    _show(
        _each(service, data, lambda desk: tools.status(desk.db, desk.nats, desk.service)),
        as_json=as_json,
        more=("unpublished",),
    )


@outbox_app.command("windows")
def outbox_windows(
    service: ServiceArgument,
    shard: ShardOption = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the newest steps of the numbering."""
    found = _at(service, data, lambda desk: tools.windows(desk.db, shard, limit))
    _show({service: found}, as_json=as_json)


@outbox_app.command("verify")
def outbox_verify(
    service: EachArgument = "",
    repair: Annotated[bool, typer.Option(help="Make a stream that differs anew.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare streams with ledgers, window by window; exit 1 when they differ."""
    found = _each(
        service, data, lambda desk: tools.verify(desk.db, desk.nats, desk.service, repair=repair)
    )
    _show(found, as_json=as_json, nothing="every stream is what its ledger says")
    raise typer.Exit(1 if any(found.values()) else 0)


@outbox_app.command("republish")
def outbox_republish(service: ServiceArgument, data: DataOption = None) -> None:
    """Put into the stream what it lacks; the relay does the same by itself."""
    done = _at(service, data, lambda desk: tools.republish(desk.db, desk.nats, desk.service))
    _say(f"{sum(done.values())} facts published")


@outbox_app.command("resolve-divergence")
def outbox_resolve(
    service: ServiceArgument,
    shard: ShardOption,
    accept_cluster: Annotated[
        bool, typer.Option(help="This PostgreSQL is the right one, restored.")
    ] = False,
    data: DataOption = None,
) -> None:
    """Let a shard go on whose stream is ahead of its ledger; people settle what that said."""
    bridged = _at(
        service,
        data,
        lambda desk: tools.resolve_divergence(
            desk.db, desk.nats, desk.service, shard, accept_cluster=accept_cluster
        ),
    )
    _say(f"{bridged} numbers bridged")


@outbox_app.command("prune")
def outbox_prune(
    service: ServiceArgument,
    keep_days: Annotated[int, typer.Option(min=1)] = KEEP_DAYS,
    data: DataOption = None,
) -> None:
    """Drop old days that every shard has published and every consumer has applied."""

    async def prune(desk: Desk, passed: dict[int, int]) -> int:
        return await tools.prune(desk.db, keep_days=keep_days, passed=passed)

    heard = _each("", data, lambda desk: tools.lag(desk.db, desk.nats, desk.service))
    passed: dict[int, int] = {}
    for lag in (lag for lags in heard.values() for lag in lags if lag.source == service):
        passed[lag.shard] = min(lag.last_seq, passed.get(lag.shard, lag.last_seq))
    _say(f"{_at(service, data, lambda desk: prune(desk, passed))} days dropped")


@inbox_app.command("lag")
def inbox_lag(
    service: EachArgument = "", data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Show how far each source is applied, and how many of its facts wait in quarantine."""
    _show(
        _each(service, data, lambda desk: tools.lag(desk.db, desk.nats, desk.service)),
        as_json=as_json,
        more=("behind",),
        nothing="nothing was heard yet",
    )


@quarantine_app.command("ls")
def quarantine_ls(
    service: EachArgument = "", data: DataOption = None, as_json: JsonOption = False
) -> None:
    """List what could not be applied; exit 1 when there is something."""
    found = _each(service, data, lambda desk: tools.quarantined(desk.db, desk.service))
    _show(found, as_json=as_json, nothing="quarantine is empty")
    raise typer.Exit(1 if any(found.values()) else 0)


@quarantine_app.command("show")
def quarantine_show(
    service: ServiceArgument,
    source: SourceOption,
    shard: ShardOption,
    seq: SeqOption,
    data: DataOption = None,
) -> None:
    """Show one fact with what it says and why it failed."""
    found = _at(service, data, lambda desk: tools.show(desk.db, desk.service, source, shard, seq))
    sys.stdout.write(json.dumps(asdict(found), default=str, indent=2) + "\n")


@quarantine_app.command("replay")
def quarantine_replay(
    service: ServiceArgument,
    source: SourceOption,
    shard: ShardOption,
    key: KeyOption,
    data: DataOption = None,
) -> None:
    """Try every fact of one key again, in order."""
    count = _at(service, data, lambda desk: tools.replay(desk.db, desk.service, source, shard, key))
    _say(f"{count} facts are tried again")


@quarantine_app.command("discard")
def quarantine_discard(
    service: ServiceArgument,
    *,
    source: SourceOption,
    shard: ShardOption,
    seq: SeqOption,
    reason: Annotated[str, typer.Option(help="Why it is given up; kept beside it.")],
    data: DataOption = None,
) -> None:
    """Give one fact up for good."""
    if not reason.strip():
        raise Trouble("say why, with --reason")
    _at(
        service,
        data,
        lambda desk: tools.discard(desk.db, desk.service, source, shard, seq, reason=reason),
    )
    _say("discarded; what waits behind it goes on after `hazina inbox unpark`")


@inbox_app.command("unpark")
def inbox_unpark(
    service: ServiceArgument,
    source: SourceOption,
    shard: ShardOption,
    key: KeyOption,
    data: DataOption = None,
) -> None:
    """Let go on what waits behind a fact that was given up."""
    count = _at(service, data, lambda desk: tools.unpark(desk.db, desk.service, source, shard, key))
    _say(f"{count} facts go on")


@inbox_app.command("reset")
def inbox_reset(
    service: ServiceArgument,
    source: SourceOption,
    shard: ShardOption,
    to: Annotated[int, typer.Option(min=0, help="Go on after this number.")],
    data: DataOption = None,
) -> None:
    """Go on after another number: facts are skipped, or applied a second time."""
    _at(service, data, lambda desk: tools.reset(desk.db, desk.service, source, shard, to))
    _say(f"{service} goes on after {source} {shard}:{to}")


@inbox_app.command("bootstrap")
def inbox_bootstrap(
    service: ServiceArgument,
    source: Annotated[str, typer.Option("--from", help="Whose facts.")],
    data: DataOption = None,
) -> None:
    """Apply everything a source ever said, from its first fact on."""
    shards = _at(service, data, lambda desk: tools.bootstrap(desk.db, desk.service, source))
    _say(f"{service} hears {source} from the beginning, in {shards} shards")


def _at(service: str, data: Path | None, work: Callable[[Desk], Awaitable[T]]) -> T:
    """Do one thing at one service's desk; what is refused is said in a sentence."""

    async def go() -> T:
        async with _desk(Folder(data or folders.usual()), service) as desk:
            return await work(desk)

    if service not in SERVICES:
        raise Trouble(f"there is no service {service}; there are {', '.join(SERVICES)}")
    try:
        return asyncio.run(go())
    except Problem as refused:
        raise Trouble(f"{refused.code}: {refused.title}") from None
    except (psycopg.Error, SQLAlchemyError) as bad:
        raise Trouble(f"{service}'s database refuses: {str(bad).splitlines()[0]}") from None
    except (nats.errors.Error, OSError) as bad:
        raise Trouble(f"the broker does not answer: {bad}") from None


def _each(
    service: str, data: Path | None, work: Callable[[Desk], Awaitable[Sequence[T]]]
) -> dict[str, Sequence[T]]:
    return {one: _at(one, data, work) for one in ([service] if service else SERVICES)}


@asynccontextmanager
async def _desk(folder: Folder, service: str) -> AsyncIterator[Desk]:
    db = Database(look.dsn(folder, service), pool_size=1)
    client = await nats.connect(look.nats_url(folder), error_cb=_hush, allow_reconnect=False)
    try:
        yield Desk(service, db, client)
    finally:
        await client.close()
        await db.close()


async def _hush(_: Exception) -> None:
    """The answer to a refused request says enough."""


def _show(
    found: dict[str, Sequence[Any]],
    *,
    as_json: bool,
    more: tuple[str, ...] = (),
    nothing: str = "nothing",
) -> None:
    rows = [
        {"service": service, **asdict(row), **{name: getattr(row, name) for name in more}}
        for service, several in found.items()
        for row in several
    ]
    if as_json:
        sys.stdout.write(json.dumps(rows, default=str) + "\n")
        return
    if not rows:
        _say(nothing)
        return
    first = next(row for several in found.values() for row in several)
    table = Table(box=None, padding=(0, 2), pad_edge=False, header_style="dim")
    for name in ("service", *(field.name for field in fields(first)), *more):
        table.add_column(name.replace("_", " "), no_wrap=True)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
