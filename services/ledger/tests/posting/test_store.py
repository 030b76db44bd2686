"""The one function that writes money, against an oracle that posts one by one."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from hazina import ids
from hazina.pg import Database
from hazina.standard.databases import ServiceDatabase
from ledger.account.rules import Account, Flag, of_user
from ledger.posting import store
from ledger.posting.rules import Answer, Attempt, Leg, Posting, Receipt, Refusal, Taken, What

from .given import ISSUE, freeze, open_accounts, transfer
from .oracle import Balance, Oracle, Told

pytestmark = pytest.mark.anyio
Connection = psycopg.AsyncConnection[Any]

ACCOUNTS = 6
NOWHERE = 0  # the account that is never opened


@dataclass(frozen=True)
class Move:
    """One posting to be: from one account to up to two others, under one of a few keys."""

    payer: int
    payees: tuple[tuple[int, int], ...]
    hold: int
    key: int
    force: bool


@st.composite
def moves(draw: st.DrawFn) -> Move:
    payer, *payees = draw(
        st.lists(st.integers(0, ACCOUNTS - 1), min_size=2, max_size=3, unique=True)
    )
    amounts = [draw(st.integers(1, 40)) for _ in payees]
    return Move(
        payer,
        tuple(zip(payees, amounts, strict=True)),
        hold=draw(st.sampled_from([0, 0, 0, 5])),
        key=draw(st.integers(0, 60)),
        force=draw(st.sampled_from([False, False, False, True])),
    )


batches = st.lists(st.lists(moves(), min_size=1, max_size=40), min_size=1, max_size=4)


@pytest.fixture
async def connection(db: Database) -> AsyncIterator[Connection]:
    """A connection that speaks as the service."""
    connection = await db.connect()
    await connection.execute("select set_config('app.role', 'service', false)")
    yield connection
    await connection.close()


async def post_one(connection: Connection, posting: Posting) -> Answer:
    (answer,) = await store.post_batch(connection, [posting])
    return answer


async def given_accounts(db: Database, connection: Connection, oracle: Oracle) -> list[Account]:
    """Open six accounts: one never, three with coins, one frozen, one that can hold but 100."""
    accounts = [of_user(ids.new()) for _ in range(ACCOUNTS)]
    await open_accounts(db, ISSUE, *accounts[1:])
    for account in accounts[1:4]:
        await post_one(connection, transfer(ISSUE, account, 100))
        oracle.balances[account.id] = Balance(posted=100, seq=1)
    await freeze(db, accounts[4], Flag.STAFF_NO_CREDIT)
    oracle.balances[accounts[4].id] = Balance(flags=32)
    oracle.balances[accounts[5].id] = Balance()
    return accounts


def posting_of(move: Move, accounts: Sequence[Account], keys: Sequence[Any]) -> Posting:
    legs = [Leg(accounts[payee], amount) for payee, amount in move.payees]
    spent = sum(leg.amount for leg in legs)
    return Posting(
        id=ids.new(),
        attempt=Attempt(keys[move.key], {"/spent": f"{spent % 3:08x}"}),
        what=What.TRANSFER,
        legs=(Leg(accounts[move.payer], -spent, move.hold), *legs),
        force=move.force,
    )


def once_each(postings: Sequence[Posting]) -> list[Posting]:
    """Keep the first posting of each key: the batcher never sends one key twice in a batch."""
    return list({posting.attempt.key: posting for posting in reversed(postings)}.values())[::-1]


def told(answer: Answer) -> Told | bytes:
    match answer:
        case Taken():
            return answer.request_hash
        case Refusal():
            return Told(answer.code, answer.facts)
    return Told(seqs=answer.seqs, balances_after=answer.balances_after)


class TestPostBatch:
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(asked=batches)
    async def test_is_the_same_as_posting_one_by_one(
        self, db: Database, connection: Connection, asked: list[list[Move]]
    ) -> None:
        oracle = Oracle()
        accounts = await given_accounts(db, connection, oracle)
        keys = [ids.new() for _ in range(61)]

        for batch in asked:
            postings = once_each([posting_of(move, accounts, keys) for move in batch])
            answers = await store.post_batch(connection, postings)

            assert [told(a) for a in answers] == [oracle.post(p) for p in postings]

        rows = await connection.execute(
            """select account_id, posted, held, floor, ceiling, flags, seq
               from balance where account_id = any(%s)""",
            ([account.id for account in accounts],),
        )
        kept = {id: Balance(*columns) for id, *columns in await rows.fetchall()}
        assert kept == oracle.balances

    async def test_keeps_a_receipt_that_equals_the_entries(
        self, db: Database, connection: Connection
    ) -> None:
        payer, payee = of_user(ids.new()), of_user(ids.new())
        await open_accounts(db, ISSUE, payer, payee)
        await post_one(connection, transfer(ISSUE, payer, 10))

        receipt = await post_one(connection, transfer(payer, payee, 4))

        assert isinstance(receipt, Receipt)
        rows = await connection.execute(
            """select account_id, amount, seq, balance_after, created_at
               from entry where transaction_id = %s order by amount""",
            (receipt.id,),
        )
        assert await rows.fetchall() == [
            (payer.id, -4, 2, 6, receipt.created_at),
            (payee.id, 4, 1, 4, receipt.created_at),
        ]
        assert (receipt.account_ids, receipt.amounts) == ((payer.id, payee.id), (-4, 4))

    async def test_answers_a_thousand_in_one_call_in_the_order_they_came(
        self, db: Database, connection: Connection
    ) -> None:
        account = of_user(ids.new())
        await open_accounts(db, ISSUE, account)
        postings = [transfer(ISSUE, account, 1) for _ in range(1_000)]

        answers = await store.post_batch(connection, postings)

        assert [a.seqs[1] for a in answers if isinstance(a, Receipt)] == list(range(1, 1_001))
        assert [a.id for a in answers if isinstance(a, Receipt)] == [p.id for p in postings]

    async def test_never_lets_time_go_back_for_an_account(
        self, db: Database, connection: Connection, database: ServiceDatabase
    ) -> None:
        account = of_user(ids.new())
        await open_accounts(db, ISSUE, account)
        with psycopg.connect(database.admin_url) as admin:
            admin.execute(
                "update ledger.balance set updated_at = '2999-01-01Z' where account_id = %s",
                (account.id,),
            )

        receipt = await post_one(connection, transfer(ISSUE, account, 1))

        assert isinstance(receipt, Receipt)
        assert receipt.created_at.year == 2999

    async def test_raises_when_a_transaction_does_not_sum_to_zero(
        self, db: Database, connection: Connection
    ) -> None:
        account = of_user(ids.new())
        await open_accounts(db, ISSUE, account)
        posting = transfer(ISSUE, account, 1)
        object.__setattr__(posting, "legs", posting.legs[1:])

        with pytest.raises(psycopg.errors.RaiseException, match="sum to zero"):
            await post_one(connection, posting)

    async def test_notes_a_balance_that_crossed_a_line(
        self, db: Database, connection: Connection
    ) -> None:
        account, monitor = of_user(ids.new()), ids.new()
        await open_accounts(db, ISSUE, account)
        await connection.execute(
            """insert into balance_monitors (id, account_id, op, threshold)
               values (%s, %s, 'above', 10)""",
            (monitor, account.id),
        )

        for amount in (9, 1, 5):
            await post_one(connection, transfer(ISSUE, account, amount))

        hits = await connection.execute("select monitor_id, before, after from monitor_hits")
        assert await hits.fetchall() == [(monitor, 9, 10)]

    async def test_keeps_text_as_it_was_asked(self, db: Database, connection: Connection) -> None:
        account = of_user(ids.new())
        await open_accounts(db, ISSUE, account)
        odd = 'a "b" \\ {c}, NULL é\n'
        posting = Posting(
            ids.new(),
            Attempt(ids.new()),
            What.TRANSFER,
            (Leg(ISSUE, -1), Leg(account, 1)),
            reference=odd,
            metadata={odd: [odd, None, 1]},
        )

        await post_one(connection, posting)

        rows = await connection.execute("select reference, metadata from transaction")
        assert await rows.fetchall() == [(odd, {odd: [odd, None, 1]})]


class TestTheAppRole:
    @pytest.mark.parametrize(
        "statement",
        [
            "update balance set posted = 1",
            "insert into balance (account_id, floor, ceiling) values (uuidv7(), 0, 1)",
            "delete from entry",
            "update entry set amount = 1",
            "insert into transaction select * from transaction",
            "delete from transaction",
            "update idempotency set problem = null",
            "delete from idempotency",
            "update gifts set coin_amount = 1",
            "truncate entry",
        ],
    )
    async def test_cannot_touch_the_book_but_by_its_functions(
        self, db: Database, connection: Connection, statement: str
    ) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(statement.encode())

    async def test_sees_no_account_of_others(self, db: Database) -> None:
        await open_accounts(db, of_user(ids.new()))

        async with db.reading() as tx:
            seen = await tx.execute(
                text("select (select count(*) from account), count(*) from balance")
            )

        assert tuple(seen.one()) == (0, 0)
