import asyncio
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from crypto.ports.envelope import Belongs, Envelope
from crypto.ports.evm import address_of
from hazina import ids
from hazina.pg import SERVICE, Database
from hazina.standard import ServiceDatabase

from ..given import KEK, NOON, WALLETS, hear, member, registered, renamed, rows, told  # noqa: TID252  makers of the whole service

pytestmark = pytest.mark.anyio

CREATED = "crypto.wallet.created"


async def handle_of(db: Database, user_id: object) -> str:
    [row] = await rows(db, "select handle from crypto_wallets where user_id = :id", id=user_id)
    return str(row.handle)


class TestOpen:
    async def test_gives_a_wallet_with_the_handle_of_the_username(self, db: Database) -> None:
        user_id = ids.new()

        await hear(db, registered(user_id, "Amina"))

        [wallet] = await rows(db, "select * from crypto_wallets")
        assert (wallet.user_id, wallet.handle, wallet.is_primary) == (user_id, "amina", True)
        assert (wallet.chain, wallet.wallet_type, wallet.key_scheme) == (
            "base",
            "custodial",
            "envelope-v1",
        )
        [said] = await told(db, CREATED)
        assert said == {
            "wallet_id": str(wallet.id),
            "user_id": str(user_id),
            "org_id": None,
            "handle": "amina",
            "chain": "base",
            "wallet_address": wallet.wallet_address,
            "wallet_type": "custodial",
        }

    async def test_keeps_a_key_that_controls_the_address(
        self, db: Database, database: ServiceDatabase
    ) -> None:
        _, wallet_id = await member(db, "amina")

        with psycopg.connect(database.admin_url) as admin:
            key = admin.execute(
                "select encrypted_key_share, kek_version, public_key, address"
                " from crypto.wallet_keys join crypto.wallet_addresses a on key_id = wallet_keys.id"
                " where a.wallet_id = %s",
                (wallet_id,),
            ).fetchone()

        assert key is not None
        sealed, version, public, address = key
        secret = Envelope(KEK).open(sealed, Belongs(wallet_id, "base", address), version)
        assert len(secret) == 32
        assert address_of(public) == address

    async def test_lets_nobody_who_answers_requests_read_a_key(self, db: Database) -> None:
        await member(db)

        with pytest.raises(ProgrammingError, match="permission denied"):
            await rows(db, "select * from wallet_keys")

    async def test_is_harmless_when_told_again(self, db: Database) -> None:
        fact = registered(ids.new(), "amina")

        await hear(db, fact, fact)

        assert len(await rows(db, "select from crypto_wallets")) == 1
        assert len(await told(db, CREATED)) == 1

    async def test_opens_one_wallet_when_told_twice_at_once(self, db: Database) -> None:
        fact = registered(ids.new(), "amina")

        await asyncio.gather(*(hear(db, fact) for _ in range(8)))

        assert len(await rows(db, "select from crypto_wallets")) == 1
        assert len(await told(db, CREATED)) == 1

    async def test_gives_a_handle_to_one_of_many_who_want_it(self, db: Database) -> None:
        users = [ids.new() for _ in range(8)]

        await asyncio.gather(*(hear(db, registered(user, "amina")) for user in users))

        handles = [await handle_of(db, user) for user in users]
        assert len(set(handles)) == len(users)
        assert handles.count("amina") == 1

    async def test_takes_many_at_once(self, db: Database) -> None:
        facts = [registered(ids.new(), "amina" if n % 2 else None) for n in range(50)]

        async with db.transaction(SERVICE) as tx:
            await WALLETS.open(tx, [*facts, facts[0]])

        assert len(await rows(db, "select from crypto_wallets")) == len(facts)
        assert len(await told(db, CREATED)) == len(facts)


class TestFollow:
    async def test_renames_the_handle_and_lets_the_old_one_rest(self, db: Database) -> None:
        user_id, _ = await member(db, "amina")

        await hear(db, renamed(user_id, "mina"))

        assert await handle_of(db, user_id) == "mina"
        [rest] = await rows(db, "select * from handle_tombstones")
        assert (rest.handle, rest.until_at) == ("amina", NOON + timedelta(days=90))
        [wallet] = await rows(db, "select version from crypto_wallets")
        assert wallet.version == 2

    async def test_is_harmless_when_told_again(self, db: Database) -> None:
        user_id, _ = await member(db, "amina")
        fact = renamed(user_id, "mina")

        await hear(db, fact, fact)

        [wallet] = await rows(db, "select handle, version from crypto_wallets")
        assert wallet == ("mina", 2)

    async def test_ignores_what_is_older_than_known(self, db: Database) -> None:
        user_id, _ = await member(db, "amina")

        await hear(db, renamed(user_id, "mina", version=3), renamed(user_id, "old", version=2))

        assert await handle_of(db, user_id) == "mina"

    async def test_gives_nobody_a_handle_that_rests(self, db: Database) -> None:
        user_id, _ = await member(db, "amina")
        await hear(db, renamed(user_id, "mina"))
        soon, late = ids.new(), ids.new()

        await hear(db, registered(soon, "amina", at=NOON + timedelta(days=89)))
        await hear(db, registered(late, "amina", at=NOON + timedelta(days=90, seconds=1)))

        assert await handle_of(db, soon) != "amina"
        assert await handle_of(db, late) == "amina"

    async def test_knows_a_user_whose_wallet_is_still_to_come(self, db: Database) -> None:
        user_id = ids.new()

        await hear(db, renamed(user_id, "mina"), registered(user_id, "amina"))

        [state] = await rows(db, "select username, version from user_state")
        assert state == ("mina", 2)
        assert await handle_of(db, user_id) == "mina"
        assert len(await rows(db, "select from crypto_wallets")) == 1


class TestUniqueUserPrimary:
    async def test_refuses_a_second_primary_wallet(self, db: Database) -> None:
        await member(db, "amina")
        again = """insert into crypto_wallets (user_id, handle, key_scheme, is_primary)
                   select user_id, 'other', 'none', true from crypto_wallets"""

        with pytest.raises(Exception, match="unique_user_primary"):
            async with db.transaction(SERVICE) as tx:
                await tx.execute(text(again))
