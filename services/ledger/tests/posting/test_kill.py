"""kill -9 in the middle of a batch: what was answered is kept, and nothing is kept by half."""

import asyncio
import random
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from hazina.pg import SERVICE, Database
from hazina.standard.databases import ServiceDatabase
from ledger.account import actions as accounts
from ledger.account.rules import Purpose, of_platform
from ledger.audit import actions as audit
from ledger.posting.actions import Book

from ..people import ROSE, grant, held, welcome  # noqa: TID252

pytestmark = pytest.mark.anyio

KILLS = 4
SPENDER = Path(__file__).with_name("spender.py")


async def spend_until_killed(*arguments: str, after: int) -> set[str]:
    """Run a spender, kill it once it was answered so often, and give what it was answered."""
    spender = await asyncio.create_subprocess_exec(
        sys.executable, str(SPENDER), *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert spender.stdout is not None
    told = [await spender.stdout.readline() for _ in range(after)]
    spender.kill()
    told += (await spender.stdout.read()).splitlines(keepends=True)
    await spender.wait()
    return {line.decode().strip() for line in told if line.endswith(b"\n")}


async def test_a_kill_loses_nothing_that_was_answered_and_leaves_no_half(
    db: Database, book: Book, database: ServiceDatabase
) -> None:
    sender, recipient = await welcome(db), await welcome(db)
    await grant(db, book, sender, 1_000_000)
    async with db.transaction(SERVICE) as tx:
        await accounts.ensure_in(tx, [of_platform(Purpose.REVENUE)])
    chance = random.Random(7)
    answered: set[str] = set()

    for _ in range(KILLS):
        answered |= await spend_until_killed(
            database.url, str(sender.id), str(recipient.id), ROSE, after=chance.randint(1, 300)
        )

    async with db.reading(SERVICE) as tx:
        rows = await tx.execute(text("select id from transaction where kind = 'gift'"))
        committed = {str(id) for id in rows.scalars()}
        told = await tx.execute(text("select count(*) from outbox where type = 'ledger.gift.sent'"))
        assert told.scalar() == len(committed)
    assert answered <= committed
    assert await held(db, sender) == 1_000_000 - 3 * len(committed)
    assert (await audit.check(db, full=True)).findings == ()
