"""What the ledger does when identity speaks; the same news twice changes nothing."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from hazina import ids
from hazina.outbox import Received
from hazina.pg import SERVICE, Database
from ledger.account import consumers
from ledger.account.consumers import UserBanned, UserRegistered

pytestmark = pytest.mark.anyio


def registered() -> Received[UserRegistered]:
    event = UserRegistered(
        user_id=ids.new(), personal_org_id=ids.new(), marketplace_role="buyer", version=1
    )
    return Received(
        event=event,
        id=ids.new(),
        type=UserRegistered.__type__,
        source="identity",
        shard=0,
        seq=1,
        key=str(event.user_id),
        key_version=1,
        time=datetime.now(UTC),
    )


class TestOpenAccounts:
    async def test_opens_coins_and_earnings_once(self, db: Database) -> None:
        facts = [registered(), registered()]

        for _ in range(2):
            async with db.transaction(SERVICE) as tx:
                await consumers.open_accounts(tx, facts)

        async with db.reading(SERVICE) as tx:
            rows = await tx.execute(
                text("select asset, purpose, count(*) from account group by 1, 2 order by 2")
            )
            assert [tuple(row) for row in rows] == [
                ("COIN", "available", 2),
                ("COIN", "earnings", 2),
            ]
            told = await tx.execute(text("select type, count(*) from outbox group by 1"))
            assert [tuple(row) for row in told] == [("ledger.account.opened", 4)]


class TestFollow:
    async def test_freezes_whom_identity_banned(self, db: Database) -> None:
        fact = registered()
        banned = Received(
            event=UserBanned(user_id=fact.event.user_id, version=2),
            id=ids.new(),
            type=UserBanned.__type__,
            source="identity",
            shard=0,
            seq=2,
            key=fact.key,
            key_version=2,
            time=fact.time,
        )

        async with db.transaction(SERVICE) as tx:
            await consumers.open_accounts(tx, [fact])
            await consumers.follow(tx, [banned])

        async with db.reading(SERVICE) as tx:
            flags = await tx.execute(text("select distinct flags from balance"))
            assert flags.scalars().all() == [6]
