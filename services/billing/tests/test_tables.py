from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from billing.tables import metadata
from billing.usage.actions import record_in
from billing.usage.rules import Fact
from hazina import ids
from hazina.pg import SERVICE, Actor, Database

from .given import NOON, org

pytestmark = pytest.mark.anyio

OF_ORGS = sorted(name for name, table in metadata.tables.items() if "org_id" in table.c)
GIVE = """
    insert into entitlement_grants (org_id, source_kind, source_id, feature_key, flag)
        values (:org, 'promo', 'p', 'sso', true);
"""

RESERVE = """
    insert into quota_reservations (org_id, feature_key, windows, amount, expires_at, key)
        values (:org, 'max_records', '[]', 1, now(), uuidv7());
"""


class TestRowSecurity:
    @pytest.mark.parametrize("table", OF_ORGS)
    async def test_shows_an_organisation_its_own_rows_only(self, db: Database, table: str) -> None:
        org_id = await org(db)
        async with db.transaction(SERVICE) as tx:
            for statement in (GIVE, RESERVE):
                await tx.execute(text(statement), {"org": org_id})
            await record_in(tx, [Fact(org_id, "s", "1", "record_created", 1, NOON)], NOON)

        async def seen(actor: Actor) -> Any:
            async with db.reading(actor) as tx:
                return (await tx.execute(text(f"select count(*) from {table}"))).scalar_one()

        own = Actor("user", ids.new(), org_id)
        foreign = Actor("user", ids.new(), ids.new())
        assert await seen(own) == await seen(Actor("admin", ids.new())) > 0
        assert (await seen(foreign), await seen(Actor())) == (0, 0)

    @pytest.mark.parametrize("table", OF_ORGS)
    async def test_lets_no_user_change_a_row(self, db: Database, table: str) -> None:
        org_id = await org(db)

        async with db.transaction(Actor("user", ids.new(), org_id)) as tx:
            try:
                gone = await tx.execute(text(f"delete from {table}"))
            except ProgrammingError:
                return  # history: nobody may
        assert gone.rowcount == 0

    async def test_belongs_to_organisations_only(self) -> None:
        # "All billing goes through organizations": a user is a dimension, never the owner.
        personal = [table for table in metadata.tables.values() if "user_id" in table.c]
        assert personal
        assert all("org_id" in table.c for table in personal)
