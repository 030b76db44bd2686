"""`python -m ledger check`: prove the book from a terminal."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

from rich.console import Console

from hazina.pg import Database
from ledger.audit import actions
from ledger.audit.rules import Law, Report

BROKEN = 1


def run(db: Database, arguments: Sequence[str]) -> int:
    """Prove the book and say what was found; 0 when it is right, 1 when it is not."""
    parser = argparse.ArgumentParser(prog="python -m ledger check", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all of it, not what changed lately")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    asked = parser.parse_args(arguments)
    console = Console(stderr=True)

    with console.status("opening the book") as status:

        def tell(law: Law) -> None:
            status.update(f"{law.level} {law.says}")

        report = asyncio.run(_check(db, full=asked.full, tell=tell))
    if asked.json:
        sys.stdout.write(json.dumps(asdict(report), default=str) + "\n")
    else:
        _show(report)
    return 0 if report.ok else BROKEN


async def _check(db: Database, *, full: bool, tell: Callable[[Law], None]) -> Report:
    try:
        return await actions.check(db, full=full, tell=tell)
    finally:
        await db.close()


def _show(report: Report) -> None:
    console = Console()
    if report.ok:
        console.print(f"[green]The book is right[/] ({report.level} check {report.id}).")
    for one in report.findings:
        console.print(f"[red]{one.level}[/] not so: {one.says}; {one.account_id or ''} {one.facts}")
