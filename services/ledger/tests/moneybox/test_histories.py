"""Whatever happens to moneyboxes in whatever order, the book is right; and lies are found."""

import asyncio
import random

import httpx
import psycopg
import pytest

from hazina.pg import SERVICE, Database
from hazina.standard.clock import MovableClock
from hazina.standard.databases import ServiceDatabase
from ledger.account import actions as accounts
from ledger.account.rules import Purpose, Standing, State
from ledger.audit import actions as audit
from ledger.moneybox import actions
from ledger.posting.actions import Book

from ..people import Bearer, grant, welcome  # noqa: TID252
from .given import Saver, money, of_house

pytestmark = pytest.mark.anyio

STEPS = 60
SAVED = 10_000
ANSWERED = {200, 201, 404, 409}


class Life:
    """A few people who do whatever comes to mind."""

    def __init__(self, savers: list[Saver], db: Database, clock: MovableClock, seed: int) -> None:
        """Begin with nobody having a moneybox."""
        self.savers = savers
        self.db = db
        self.clock = clock
        self.chance = random.Random(seed)
        self.boxes: dict[Saver, str] = {}
        self.versions = dict.fromkeys(savers, 1)

    async def step(self) -> None:
        """Let one to four things happen at once, then let some time pass."""
        doing = [self.something() for _ in range(self.chance.randint(1, 4))]
        await asyncio.gather(*doing)
        self.clock.move(hours=self.chance.choice((0, 5, 24 * 7, 24 * 45)))

    async def something(self) -> None:
        """Do one of the things that can be done."""
        saver = self.chance.choice(self.savers)
        path = f"/moneyboxes/{self.boxes.get(saver, saver.person.id)}"
        amount = self.chance.choice((1, 7, 999, 12_345))
        match self.chance.randrange(9):
            case 0 | 1:
                tier, percent = self.chance.randint(1, 4), self.chance.randint(0, 50)
                body = {"tier": tier, "asset": "KES", "autosave_percent": percent}
                answer = await saver.asks("/moneyboxes", body)
                if answer.status_code == 201:
                    self.boxes[saver] = answer.json()["id"]
            case 2 | 3:
                answer = await saver.earns(amount, str(self.chance.randint(1, 30)))
            case 4:
                answer = await saver.asks(f"{path}/deposits", {"amount": amount})
            case 5:
                taken = self.chance.choice((amount, "all"))
                answer = await saver.asks(f"{path}/withdrawals", {"amount": taken})
            case 6:
                await actions.mature(self.db, self.clock())
                return
            case 7:
                await actions.liquidate(self.db, self.clock())
                return
            case _:
                await self.stand(saver)
                return
        assert answer.status_code in ANSWERED, answer.text

    async def stand(self, saver: Saver) -> None:
        """Suspend somebody, or let them be active again."""
        self.versions[saver] += 1
        state = self.chance.choice((State.SUSPENDED, State.ACTIVE, State.ACTIVE))
        news = Standing(saver.person.id, state, self.versions[saver], self.clock())
        async with self.db.transaction(SERVICE) as tx:
            await accounts.follow(tx, [news])


class TestHistories:
    @pytest.mark.parametrize("seed", range(4))
    async def test_leave_a_right_book_and_no_money_made(
        self,
        http: httpx.AsyncClient,
        db: Database,
        book: Book,
        bearer: Bearer,
        *,
        clock: MovableClock,
        seed: int,
    ) -> None:
        savers = [Saver(await welcome(db), http, bearer) for _ in range(3)]
        for saver in savers:
            await grant(db, book, saver.person, 50_000, "KES")
        life = Life(savers, db, clock, seed)

        for _ in range(STEPS):
            await life.step()

        assert (await audit.check(db, full=True)).findings == ()
        assert len(life.boxes) == 3, "everybody saved at some time"
        theirs = sum([sum(await money(db, saver.person)) for saver in savers])
        ours = await of_house(db, Purpose.BONUS) + await of_house(db, Purpose.REVENUE)
        assert theirs + ours == 150_000


LIES = {
    "a line that is gone": "delete from moneybox_ledger where type = 'AUTOSAVE'",
    "a line of another size": "update moneybox_ledger set amount = 999 where type = 'AUTOSAVE'",
    "a commission that is gone": "delete from commissions",
    "a commission of another size": "update commissions set amount = amount + 1",
    "a commission that saved less": "update commissions set autosaved_amount = 1",
    "a box of somebody else": "update moneybox_accounts set user_id = gen_random_uuid()",
}


class TestCheck:
    @pytest.mark.parametrize("lie", LIES)
    async def test_finds_what_is_planted(
        self,
        http: httpx.AsyncClient,
        db: Database,
        bearer: Bearer,
        *,
        database: ServiceDatabase,
        lie: str,
    ) -> None:
        juma = Saver(await welcome(db), http, bearer)
        await juma.opens(percent=10)
        await juma.earns(SAVED)
        before = await audit.check(db, full=True)
        with psycopg.connect(database.admin_url) as admin:
            admin.execute("set search_path = ledger")
            admin.execute(LIES[lie].encode())

        after = await audit.check(db, full=True)

        assert before.findings == ()
        assert {finding.level for finding in after.findings} == {"L6"}
