"""The book in a crowd, in contention, and without its database."""

import asyncio
from collections.abc import Sequence

import psycopg
import pytest
from sqlalchemy import text

from hazina import ids
from hazina.idempotency import KeyReused
from hazina.pg import SERVICE, Database, Transaction
from hazina.problems import Problem, Unavailable
from hazina.standard.databases import ServiceDatabase
from ledger.account.rules import AccountFrozen, AccountUnknown, Flag, InsufficientFunds, of_user
from ledger.posting import actions
from ledger.posting.actions import Book, Kept, Rows
from ledger.posting.rules import Attempt, Busy, Posting, Receipt, Refusal
from ledger.transfer.rules import TransactionUnknown

from .given import ISSUE, freeze, open_accounts, transfer, user_with

pytestmark = pytest.mark.anyio


async def held(db: Database, id: object) -> int:
    async with db.reading(SERVICE) as tx:
        found = await tx.execute(
            text("select posted from balance where account_id = :id"), {"id": id}
        )
    posted: int = found.scalar_one()
    return posted


class TestPost:
    async def test_never_overdraws_under_a_crowd(self, db: Database, book: Book) -> None:
        payer, payee = await user_with(db, book, 40), await user_with(db, book, 0)

        answers = await asyncio.gather(
            *(book.post(transfer(payer, payee, 1)) for _ in range(64)), return_exceptions=True
        )

        assert sum(isinstance(answer, Receipt) for answer in answers) == 40
        assert sum(isinstance(answer, InsufficientFunds) for answer in answers) == 24
        assert (await held(db, payer.id), await held(db, payee.id)) == (0, 40)

    async def test_two_books_at_once_never_overdraw(self, db: Database, book: Book) -> None:
        payer, payee = await user_with(db, book, 50), await user_with(db, book, 50)
        other = Book(db)

        async def both_ways() -> Sequence[object]:
            posts = [
                one.post(transfer(*pair, 1))
                for one in (book, other)
                for pair in ((payer, payee), (payee, payer))
                for _ in range(40)
            ]
            return await asyncio.gather(*posts, return_exceptions=True)

        answers = await both_ways()
        await other.close()

        assert all(isinstance(answer, Receipt | InsufficientFunds) for answer in answers)
        assert await held(db, payer.id) + await held(db, payee.id) == 100

    async def test_asked_by_a_crowd_with_one_key_posts_once(self, db: Database, book: Book) -> None:
        payer, payee = await user_with(db, book, 10), await user_with(db, book, 0)
        key, other = ids.new(), Book(db)

        receipts = await asyncio.gather(
            *(one.post(transfer(payer, payee, 3, key=key)) for one in (book, other) * 20)
        )
        await other.close()

        assert len({receipt.id for receipt in receipts}) == 1
        assert sum(not receipt.replayed for receipt in receipts) == 1
        assert await held(db, payee.id) == 3

    async def test_refuses_one_key_for_two_requests(self, db: Database, book: Book) -> None:
        payer, payee = await user_with(db, book, 10), await user_with(db, book, 0)
        key = ids.new()

        answers = await asyncio.gather(
            book.post(transfer(payer, payee, 3, key=key)),
            book.post(transfer(payer, payee, 4, key=key)),
            return_exceptions=True,
        )
        with pytest.raises(KeyReused) as later:
            await book.post(transfer(payer, payee, 5, key=key))

        assert isinstance(answers[0], Receipt)
        assert isinstance(answers[1], KeyReused)
        assert later.value.facts == {"field": "/amount"}

    async def test_tells_the_same_refusal_for_ever(self, db: Database, book: Book) -> None:
        payer, payee = await user_with(db, book, 0), await user_with(db, book, 0)
        asked = transfer(payer, payee, 1)
        told = []

        for _ in range(2):
            with pytest.raises(InsufficientFunds) as no:
                await book.post(asked)
            told.append(no.value.facts)
            await book.post(transfer(ISSUE, payer, 5))

        assert told[0] == told[1] == {"account_id": str(payer.id), "available": 0, "needed": 1}

    async def test_lets_force_pass_a_freeze_but_never_a_floor(
        self, db: Database, book: Book
    ) -> None:
        payer, payee = await user_with(db, book, 1), await user_with(db, book, 0)
        await freeze(db, payer, Flag.STATE_NO_DEBIT)

        with pytest.raises(AccountFrozen):
            await book.post(transfer(payer, payee, 1))
        await book.post(transfer(payer, payee, 1, force=True))
        with pytest.raises(InsufficientFunds):
            await book.post(transfer(payer, payee, 1, force=True))

    async def test_goes_on_when_its_caller_leaves(self, db: Database, book: Book) -> None:
        payer, payee = await user_with(db, book, 10), await user_with(db, book, 0)
        asked = transfer(payer, payee, 1)

        leaving = asyncio.create_task(book.post(asked))
        await asyncio.sleep(0)
        leaving.cancel()
        receipt = await book.post(asked)

        assert receipt.id == asked.id
        assert await held(db, payee.id) == 1

    async def test_writes_a_capabilitys_rows_of_the_accepted_only(
        self, db: Database, book: Book
    ) -> None:
        payer, payee = await user_with(db, book, 2), await user_with(db, book, 0)
        written: list[str] = []

        async def write(_: Transaction, rows: Sequence[Kept[str]]) -> None:
            written.extend(one.row for one in rows)

        await asyncio.gather(
            *(book.post(transfer(payer, payee, 1), Rows(write, f"row {n}")) for n in range(4)),
            return_exceptions=True,
        )

        assert written == ["row 0", "row 1"]

    async def test_lets_one_culprit_fail_alone(self, db: Database, book: Book) -> None:
        payer, payee = await user_with(db, book, 10), await user_with(db, book, 0)

        async def write(_: Transaction, rows: Sequence[Kept[bool]]) -> None:
            if any(one.row for one in rows):
                raise ZeroDivisionError

        answers = await asyncio.gather(
            *(book.post(transfer(payer, payee, 1), Rows(write, n == 3)) for n in range(7)),
            return_exceptions=True,
        )

        assert [isinstance(answer, ZeroDivisionError) for answer in answers].index(True) == 3
        assert sum(isinstance(answer, Receipt) for answer in answers) == 6
        assert await held(db, payee.id) == 6

    async def test_posts_once_though_its_connection_was_cut(
        self, db: Database, book: Book, database: ServiceDatabase
    ) -> None:
        payer, payee = await user_with(db, book, 1_000), await user_with(db, book, 0)
        cutting = True

        async def cut() -> None:
            with psycopg.connect(database.admin_url, autocommit=True) as admin:
                while cutting:
                    admin.execute(
                        """select pg_terminate_backend(pid) from pg_stat_activity
                           where usename = 'ledger' and datname = current_database()"""
                    )
                    await asyncio.sleep(0.1)

        cutter = asyncio.create_task(cut())
        posted = 0
        for _ in range(30):
            answers = await asyncio.gather(
                *(book.post(transfer(payer, payee, 1)) for _ in range(5))
            )
            posted += len(answers)
        cutting = False
        await cutter

        assert await held(db, payee.id) == posted == 150

    async def test_says_unavailable_when_the_database_stays_away(self) -> None:
        nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing")
        book = Book(nowhere, reconnect_within_s=0.3)

        with pytest.raises(Unavailable):
            await book.post(transfer(ISSUE, of_user(ids.new()), 1))
        await nowhere.close()

    async def test_says_busy_rather_than_queue_for_ever(
        self, book: Book, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(actions, "QUEUE_MAX", 0)

        with pytest.raises(Busy) as no:
            await book.post(transfer(ISSUE, of_user(ids.new()), 1))

        assert no.value.facts == {"retry_after_s": 1}

    async def test_waits_out_a_lock_and_gives_up_on_one_that_stays(
        self, db: Database, book: Book, database: ServiceDatabase
    ) -> None:
        payer, payee = await user_with(db, book, 5), await user_with(db, book, 0)

        with psycopg.connect(database.admin_url) as admin:
            admin.execute(
                "select from ledger.balance where account_id = %s for update", (payer.id,)
            )
            with pytest.raises(Unavailable):
                await _post_in(db, transfer(payer, payee, 1))
            waiting = asyncio.create_task(book.post(transfer(payer, payee, 1)))
            await asyncio.sleep(0.5)
            admin.rollback()

        assert isinstance(await waiting, Receipt)


async def _post_in(db: Database, posting: Posting) -> None:
    async with db.transaction(SERVICE) as tx:
        await actions.post_in(tx, posting)


class TestRefuse:
    async def test_keeps_a_rules_no_for_ever(self, book: Book) -> None:
        attempt = Attempt(ids.new())

        for problem in (AccountFrozen(account_id="a"), InsufficientFunds()):
            with pytest.raises(AccountFrozen) as no:
                await book.refuse(attempt, problem)
            assert no.value.facts == {"account_id": "a"}

    async def test_burns_no_key_for_nonsense(self, book: Book) -> None:
        attempt = Attempt(ids.new())

        for problem in (AccountUnknown(), TransactionUnknown()):
            with pytest.raises(type(problem)):
                await book.refuse(attempt, problem)

    async def test_gives_way_to_an_earlier_answer(self, db: Database, book: Book) -> None:
        payer, payee = await user_with(db, book, 1), await user_with(db, book, 0)
        asked = transfer(payer, payee, 1)
        made = await book.post(asked)

        receipt = await book.refuse(asked.attempt, AccountFrozen())

        assert (receipt.id, receipt.replayed) == (made.id, True)


class TestPostIn:
    async def test_gives_a_refusal_that_stands_once_committed(
        self, db: Database, book: Book
    ) -> None:
        payer, payee = await user_with(db, book, 0), await user_with(db, book, 0)
        asked = transfer(payer, payee, 1)

        async with db.transaction(SERVICE) as tx:
            told = await actions.post_in(tx, asked)

        assert isinstance(told, Refusal)
        with pytest.raises(InsufficientFunds):
            await book.post(asked)

    async def test_leaves_nothing_when_its_transaction_fails(
        self, db: Database, book: Book
    ) -> None:
        payer, payee = await user_with(db, book, 1), await user_with(db, book, 0)
        asked = transfer(payer, payee, 1)

        with pytest.raises(Problem):
            async with db.transaction(SERVICE) as tx:
                await actions.post_in(tx, asked)
                raise AccountUnknown

        assert await held(db, payee.id) == 0
        assert not (await book.post(asked)).replayed


async def test_an_account_that_is_not_open_is_unknown(db: Database, book: Book) -> None:
    payer = await user_with(db, book, 1)
    await open_accounts(db, ISSUE)

    with pytest.raises(AccountUnknown):
        await book.post(transfer(payer, of_user(ids.new()), 1))
