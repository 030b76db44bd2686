import asyncio

import pytest
from sqlalchemy import text

from crypto.payment import store
from crypto.payment.rules import Entry
from hazina import ids
from hazina.pg import SERVICE, Database

from ..given import holds, issue, posting, rows, unlawful  # noqa: TID252  makers of the whole service

pytestmark = pytest.mark.anyio


async def post(db: Database, *entries: Entry) -> int | None:
    async with db.transaction(SERVICE) as tx:
        lacking = await store.post(tx, posting("VIBES", 1, entries))
        if lacking is not None:
            await tx.rollback()
        return lacking


class TestPost:
    async def test_moves_what_its_entries_say(self, db: Database) -> None:
        one, other = ids.new(), ids.new()
        await issue(db, one, 100)

        assert await post(db, Entry(-40, one), Entry(30, other), Entry(10, house="fees")) is None

        assert (await holds(db, one), await holds(db, other)) == (60, 30)
        [fees] = await rows(
            db, "select sum(balance_base) from house_balances where account = 'fees'"
        )
        assert fees[0] == 10
        assert await unlawful(db) == []

    async def test_shows_decimals_beside_base_units(self, db: Database) -> None:
        wallet_id = ids.new()
        await issue(db, wallet_id, 20447946344588791, "ETH")
        await issue(db, wallet_id, 5, "VIBES")

        found = await rows(
            db, "select token, available_balance::text from token_balances order by 1"
        )

        assert found == [("ETH", "0.020447946344588791"), ("VIBES", "0.00000005")]

    async def test_tells_what_there_is_when_it_is_too_little(self, db: Database) -> None:
        one, other = ids.new(), ids.new()
        await issue(db, one, 100)

        assert await post(db, Entry(-101, one), Entry(101, other)) == 100

        assert (await holds(db, one), await holds(db, other)) == (100, 0)
        assert await unlawful(db) == []

    async def test_keeps_buckets_apart(self, db: Database) -> None:
        one = ids.new()
        await issue(db, one, 100)

        await post(db, Entry(-70, one), Entry(70, one, bucket="staked"))
        lacking = await post(db, Entry(-31, one), Entry(31, one, bucket="held"))

        assert lacking == 30
        [row] = await rows(db, "select available_base, held_base, staked_base from token_balances")
        assert tuple(map(int, row)) == (30, 0, 70)

    async def test_takes_from_all_slots_of_the_house_before_it_says_no(self, db: Database) -> None:
        donor, payee = ids.new(), ids.new()
        await issue(db, donor, 1000)
        for _ in range(40):  # into slots as chance has it
            await post(db, Entry(-10, donor), Entry(10, house="rewards"))

        assert await post(db, Entry(-390, house="rewards"), Entry(390, payee)) is None
        assert await post(db, Entry(-11, house="rewards"), Entry(11, payee)) == 10

        assert await holds(db, payee) == 390
        assert await unlawful(db) == []

    async def test_never_overdraws_the_house_under_a_crowd(self, db: Database) -> None:
        donor = ids.new()
        await issue(db, donor, 100)
        for _ in range(10):
            await post(db, Entry(-10, donor), Entry(10, house="rewards"))

        answers = await asyncio.gather(
            *(post(db, Entry(-10, house="rewards"), Entry(10, ids.new())) for _ in range(16))
        )

        assert sum(answer is None for answer in answers) == 10
        assert await unlawful(db) == []

    async def test_moves_across_each_other_without_waiting_for_ever(self, db: Database) -> None:
        one, other = ids.new(), ids.new()
        await issue(db, one, 1000)
        await issue(db, other, 1000)

        there = [post(db, Entry(-1, one), Entry(1, other)) for _ in range(16)]
        back = [post(db, Entry(-1, other), Entry(1, one)) for _ in range(16)]
        await asyncio.gather(*there, *back)

        assert (await holds(db, one), await holds(db, other)) == (1000, 1000)
        assert await unlawful(db) == []

    async def test_is_the_only_way_a_balance_changes(self, db: Database) -> None:
        await issue(db, ids.new(), 1)

        for statement in (
            "update token_balances set available_base = 7",
            "delete from token_balances",
            "insert into token_entries select * from token_entries",
            "update house_balances set balance_base = 7",
            "delete from crypto_transactions",
            "update crypto_transactions set amount_base = 7",
        ):
            with pytest.raises(Exception, match="permission denied"):
                async with db.transaction(SERVICE) as tx:
                    await tx.execute(text(statement))

    async def test_refuses_entries_that_do_not_sum_to_zero(self, db: Database) -> None:
        unbalanced = """
            select * from post(
                jsonb_build_object('id', uuidv7(), 'token', 'VIBES', 'amount_base', 1, 'chain',
                    'internal', 'status', 'confirmed', 'type', 'reward', 'created_at', now()),
                array[uuidv7()], array[null], array['available'], array['VIBES'], array[1])"""

        with pytest.raises(Exception, match="do not sum to zero"):
            async with db.transaction(SERVICE) as tx:
                await tx.execute(text(unbalanced))

    async def test_holds_the_law_whatever_is_asked(self, db: Database) -> None:
        wallets = [ids.new() for _ in range(4)]
        for wallet_id in wallets:
            await issue(db, wallet_id, 50)
        expected = dict.fromkeys(wallets, 50)

        for at, (giver, taker, amount) in enumerate(MOVES):
            one, other = wallets[giver], wallets[taker]
            lacking = await post(db, Entry(-amount, one), Entry(amount, other))
            if giver == taker or amount <= expected[one]:
                assert lacking is None, at
                expected[one] -= amount
                expected[other] += amount
            else:
                assert lacking == expected[one], at

        assert {wallet_id: await holds(db, wallet_id) for wallet_id in wallets} == expected
        assert await unlawful(db) == []


MOVES = [(n * 7 % 4, n * 5 % 3, n * 37 % 61 + 1) for n in range(120)]


class TestKeepLog:
    async def test_lets_a_note_be_forgotten_and_nothing_be_rewritten(self, db: Database) -> None:
        await issue(db, ids.new(), 1)

        async with db.transaction(SERVICE) as tx:
            await tx.execute(text("update crypto_transactions set note = null"))
        for change in ("status = 'failed'", "note = 'other'"):
            with pytest.raises(Exception, match="not rewritten"):
                async with db.transaction(SERVICE) as tx:
                    await tx.execute(text(f"update crypto_transactions set {change}"))

    async def test_takes_a_hash_once(self, db: Database) -> None:
        await issue(db, ids.new(), 1)

        async with db.transaction(SERVICE) as tx:
            await tx.execute(text("update crypto_transactions set tx_hash = '0x1'"))
        with pytest.raises(Exception, match="not rewritten"):
            async with db.transaction(SERVICE) as tx:
                await tx.execute(text("update crypto_transactions set tx_hash = '0x2'"))
