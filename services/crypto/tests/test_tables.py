import pytest
from sqlalchemy import text

from hazina import ids
from hazina.pg import Actor, Database

from .given import issue, member

pytestmark = pytest.mark.anyio

OF_OWNERS = ("crypto_wallets", "wallet_addresses", "token_balances", "crypto_transactions")
OF_THE_SERVICE = ("user_state", "token_entries", "house_balances")


async def seen(db: Database, table: str, actor: Actor) -> int:
    async with db.reading(actor) as tx:
        found: int = (await tx.execute(text(f"select count(*) from {table}"))).scalar_one()
        return found


class TestRowSecurity:
    @pytest.mark.parametrize("table", OF_OWNERS)
    async def test_shows_an_owner_their_own_rows_only(self, db: Database, table: str) -> None:
        amina, wallet = await member(db, "amina")
        await issue(db, wallet, 5)
        own = await seen(db, table, Actor("user", amina, ids.new()))
        foreign = await seen(db, table, Actor("user", ids.new(), ids.new()))

        assert (own, foreign) == (1, 0)

    @pytest.mark.parametrize("table", OF_THE_SERVICE)
    async def test_keeps_the_books_from_everybody(self, db: Database, table: str) -> None:
        amina, wallet = await member(db, "amina")
        await issue(db, wallet, 5)

        assert await seen(db, table, Actor("user", amina, ids.new())) == 0
        assert await seen(db, table, Actor("admin", ids.new())) > 0
