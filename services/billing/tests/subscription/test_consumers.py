import asyncio
from itertools import permutations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from billing.subscription.consumers import start_for_orgs, start_for_users
from hazina import ids
from hazina.pg import SERVICE, Database

from ..given import NOON, created, hear, org, registered, rows, told  # noqa: TID252  makers of the whole service

pytestmark = pytest.mark.anyio

STARTED = "billing.subscription.started"
CHANGED = "billing.entitlements.changed"


class TestStartForUsers:
    async def test_gives_a_personal_organisation_its_free_subscription(self, db: Database) -> None:
        org_id, user_id = ids.new(), ids.new()

        await hear(db, registered(org_id, user_id))

        [row] = await rows(
            db, "select s.*, p.code from org_subscriptions s join plans p on p.id = plan_id"
        )
        assert (row.org_id, row.code, row.status, row.provider) == (
            org_id,
            "free",
            "active",
            "none",
        )
        assert row.anchor_at == NOON
        assert row.current_period_end.isoformat() == "2026-02-28T12:00:00+00:00"
        [customer] = await rows(db, "select * from billing_customers")
        assert (customer.org_id, customer.personal_user_id) == (org_id, user_id)

    async def test_tells_of_it_with_all_that_may_be_used(self, db: Database) -> None:
        org_id = await org(db)

        [started] = await told(db, STARTED)
        [changed] = await told(db, CHANGED)
        assert started["org_id"] == changed["org_id"] == str(org_id)
        assert (started["plan"], started["seats"], started["previous_plan"]) == ("free", 1, None)
        assert (changed["version"], changed["plan"], changed["status"]) == (1, "free", "active")
        assert changed["limits"]["max_records"] == 100
        assert changed["features"]["basic"] is True
        assert changed["features"]["sso"] is False

    async def test_takes_many_at_once(self, db: Database) -> None:
        facts = [registered(ids.new(), seq=n) for n in range(1, 51)]

        async with db.transaction(SERVICE) as tx:
            await start_for_users(tx, facts)

        [count] = await rows(db, "select count(*) from org_subscriptions")
        assert count[0] == len(facts)
        assert len(await told(db, CHANGED)) == len(facts)


class TestStartForOrgs:
    @pytest.mark.parametrize("order", sorted(permutations((0, 0, 1, 1))))
    async def test_comes_to_the_same_in_every_order_and_however_often(
        self, db: Database, order: tuple[int, ...]
    ) -> None:
        org_id, user_id = ids.new(), ids.new()
        facts = [registered(org_id, user_id), created(org_id, user_id)]

        await hear(db, *(facts[n] for n in order))

        [count] = await rows(db, "select count(*) from org_subscriptions")
        assert count[0] == 1
        [customer] = await rows(db, "select name, personal_user_id from billing_customers")
        assert customer == ("Amina", user_id)
        assert len(await told(db, STARTED)) == len(await told(db, CHANGED)) == 1

    async def test_waits_for_the_other_fact_and_starts_nothing_twice(self, db: Database) -> None:
        org_ids = [ids.new() for _ in range(20)]
        users = [registered(org_id) for org_id in org_ids]
        orgs = [created(org_id) for org_id in reversed(org_ids)]

        async def hear_users() -> None:
            async with db.transaction(SERVICE) as tx:
                await start_for_users(tx, users)

        async def hear_orgs() -> None:
            async with db.transaction(SERVICE) as tx:
                await start_for_orgs(tx, orgs)

        await asyncio.gather(hear_users(), hear_orgs())

        live = await rows(db, "select org_id, count(*) from org_subscriptions group by org_id")
        assert sorted(live) == [(org_id, 1) for org_id in sorted(org_ids)]
        assert len(await told(db, STARTED)) == len(org_ids)


class TestRequireOneLive:
    async def test_refuses_a_transaction_that_leaves_none(self, db: Database) -> None:
        await org(db)

        with pytest.raises(IntegrityError, match="exactly one live subscription"):
            async with db.transaction(SERVICE) as tx:
                await tx.execute(text("update org_subscriptions set status = 'canceled'"))

    async def test_refuses_a_second_live_one(self, db: Database) -> None:
        await org(db)
        again = """
            insert into org_subscriptions (org_id, plan_id, provider, status, interval, anchor_at,
                current_period_start, current_period_end)
            select org_id, plan_id, 'none', 'active', 'month', anchor_at,
                current_period_start, current_period_end from org_subscriptions"""

        with pytest.raises(IntegrityError, match="org_subscriptions_one_live"):
            async with db.transaction(SERVICE) as tx:
                await tx.execute(text(again))

    async def test_allows_one_to_end_where_another_begins(self, db: Database) -> None:
        await org(db)
        swap = """
            with ended as (update org_subscriptions set status = 'canceled' returning *)
            select * from ended"""
        begin = """
            insert into org_subscriptions (org_id, plan_id, provider, status, interval, anchor_at,
                current_period_start, current_period_end)
            select org_id, plan_id, 'manual', 'active', 'month', anchor_at,
                current_period_start, current_period_end from org_subscriptions"""

        async with db.transaction(SERVICE) as tx:
            await tx.execute(text(swap))
            await tx.execute(text(begin))

        found = await rows(db, "select status::text from org_subscriptions order by status")
        assert [row.status for row in found] == ["active", "canceled"]
