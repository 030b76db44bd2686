"""The proof finds whatever is planted in the book, and touches nothing else."""

import asyncio
import json
import os
import subprocess
import sys

import httpx
import psycopg
import pytest
from sqlalchemy import text

from hazina.pg import SERVICE, Database
from hazina.standard.databases import ServiceDatabase
from ledger.account.rules import of_user
from ledger.audit import actions
from ledger.posting.actions import Book

from ..people import LION, Bearer, Person, ask, grant, welcome  # noqa: TID252

pytestmark = pytest.mark.anyio


@pytest.fixture
async def amina(http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer) -> Person:
    """Somebody who bought coins and gave a gift, in a right book."""
    amina, juma = await welcome(db), await welcome(db)
    await grant(db, book, amina, 500)
    body = {"gift_type_id": LION, "recipient_id": str(juma.id)}
    answer = await ask(http, bearer(amina.id), "/gifts", body)
    assert answer.status_code == 201
    return amina


PURSE = "(select id from account where owner_id = :amina and purpose = 'available')"
# Each plants one lie, as somebody with the superuser's power could.
LIES = {
    "L1 money from nowhere": (
        f"update balance set posted = posted + 1 where account_id = {PURSE}",
        "L1",
    ),
    "L2 a balance that is not its entries": (
        f"""update balance set posted = posted + case when account_id = {PURSE} then 5 else -5 end
            where account_id = {PURSE} or account_id =
                (select id from account where purpose = 'revenue')""",
        "L2",
    ),
    "L2 a wrong count": (f"update balance set seq = seq + 1 where account_id = {PURSE}", "L2"),
    "L2 entries without a balance": (f"delete from balance where account_id = {PURSE}", "L2"),
    "L3 a chain that jumps": (
        f"update entry set balance_after = 501 where account_id = {PURSE} and seq = 1",
        "L3",
    ),
    "L3 a number left out": (
        f"update entry set seq = 9 where account_id = {PURSE} and seq = 2",
        "L3",
    ),
    "L4 an entry that is gone": (f"delete from entry where account_id = {PURSE} and seq = 2", "L4"),
    "L4 a receipt that tells otherwise": (
        "update transaction set amounts[1] = amounts[1] + 1 where kind = 'gift'",
        "L4",
    ),
    "L4 a key that is gone": ("delete from idempotency", "L4"),
    "L5 money held for nobody": (f"update balance set held = 1 where account_id = {PURSE}", "L5"),
    "L6 a gift of another size": (
        "update gifts set coin_amount = 101, platform_revenue = 31",
        "L6",
    ),
    "L6 a gift that is gone": ("delete from gifts", "L6"),
    "L6 a fee that is gone": ("delete from transaction_fees", "L6"),
    "L6 totals that flatter": ("update profile_totals set total_gifts_sent = 7", "L6"),
}


def plant(database: ServiceDatabase, statement: str, amina: Person) -> None:
    with psycopg.connect(database.admin_url) as admin:
        admin.execute("set search_path = ledger")
        admin.execute(statement.replace(":amina", f"'{amina.id}'").encode())


class TestCheck:
    async def test_finds_a_right_book_right(self, db: Database, amina: Person) -> None:
        reports = [await actions.check(db, full=full) for full in (True, False, True)]

        assert [report.findings for report in reports] == [(), (), ()]

    @pytest.mark.parametrize("lie", LIES)
    async def test_finds_what_is_planted(
        self, db: Database, database: ServiceDatabase, amina: Person, lie: str
    ) -> None:
        statement, level = LIES[lie]
        plant(database, statement, amina)

        report = await actions.check(db, full=True)

        assert level in {finding.level for finding in report.findings}

    async def test_freezes_the_account_and_says_so_and_repairs_nothing(
        self,
        http: httpx.AsyncClient,
        db: Database,
        database: ServiceDatabase,
        *,
        amina: Person,
        bearer: Bearer,
    ) -> None:
        plant(database, LIES["L3 a chain that jumps"][0], amina)

        first = await actions.check(db, full=True)
        again = await actions.check(db, full=True)

        assert first.findings == again.findings
        purse = of_user(amina.id).id
        seen = await http.get(f"/ledger/v1/accounts/{purse}", headers=bearer(amina.id))
        assert seen.json()["frozen"] == "all"
        async with db.reading(SERVICE) as tx:
            told = await tx.execute(
                text("select count(*) from outbox where type = 'ledger.check.failed'")
            )
            assert told.scalar() == 2

    async def test_is_not_confused_by_what_is_posted_meanwhile(
        self, http: httpx.AsyncClient, db: Database, book: Book, bearer: Bearer, *, amina: Person
    ) -> None:
        juma = await welcome(db)
        await grant(db, book, amina, 10_000)
        body = {"gift_type_id": LION, "recipient_id": str(juma.id)}

        async def give() -> None:
            for _ in range(20):
                await ask(http, bearer(amina.id), "/gifts", body)

        giving = [asyncio.create_task(give()) for _ in range(2)]
        reports = [await actions.check(db, full=True) for _ in range(5)]
        await asyncio.gather(*giving)

        assert [report.findings for report in reports] == [()] * 5


class TestCommand:
    @pytest.mark.parametrize(("lie", "code"), [(None, 0), ("L2 a wrong count", 1)])
    async def test_tells_by_its_exit_code(
        self, database: ServiceDatabase, amina: Person, lie: str | None, code: int
    ) -> None:
        if lie:
            plant(database, LIES[lie][0], amina)

        told = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "ledger", "check", "--full", "--json"],
            env=os.environ | {"LEDGER_DATABASE_URL": database.url},
            capture_output=True,
            check=False,
            text=True,
        )

        assert told.returncode == code, told.stderr
        findings = json.loads(told.stdout)["findings"]
        assert [one["level"] for one in findings] == (["L2"] if lie else [])
