import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as draw
from hypothesis import strategies as st
from sqlalchemy import text

from hazina import auth
from hazina.auth import Caller, Revocations, SessionRevoked, TokenInvalid, TokenStale, hearing
from hazina.outbox import ConsumedEvent, Received
from hazina.pg import SERVICE, Actor, Database
from hazina.standard import databases

from . import given

pytestmark = pytest.mark.anyio

CALLER = Caller(
    user_id=given.USER, session_id=str(given.SESSION), org_id=given.ORG, org_role="member", mv=3
)
WHO = {"org_id": given.ORG, "user_id": given.USER}


@pytest.fixture(scope="module")
def url(postgres: str, worker: str) -> str:
    """A schema that holds auth's three tables and nothing else."""
    made = databases.blank(postgres, "ledger", f"auth_{worker}")
    with psycopg.connect(made.owner_url) as owner:
        owner.execute(auth.create_sql())
    return made.url


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    """The database, with nothing heard yet."""
    database = Database(url)
    async with database.transaction(SERVICE) as tx:
        for table in ("member", "revoked_session", "revoked_key"):
            await tx.execute(text(f"delete from {table}"))
    yield database
    await database.close()


def heard(*events: ConsumedEvent) -> Sequence[Received[Any]]:
    return [
        Received(
            event,
            UUID(int=n),
            type(event).__type__,
            "identity",
            0,
            n,
            "key",
            None,
            given.NOW,
        )
        for n, event in enumerate(events)
    ]


async def hear(db: Database, *events: ConsumedEvent) -> None:
    async with db.transaction(SERVICE) as tx:
        for event in events:
            await auth.hears()[type(event)](tx, heard(event))


class TestRequireStanding:
    async def test_lets_everybody_in_before_anything_was_heard(self, db: Database) -> None:
        view = Revocations(db)
        view.require_standing(CALLER, "one")
        await view.refresh()
        view.require_standing(CALLER, "one")

    async def test_refuses_a_session_that_was_ended(self, db: Database) -> None:
        view = Revocations(db)
        ended = hearing.SessionsRevoked(user_id=given.USER, session_ids=(given.SESSION,))
        await hear(db, ended, ended)

        await view.refresh()

        with pytest.raises(SessionRevoked):
            view.require_standing(CALLER, "one")
        view.require_standing(replace(CALLER, session_id=str(UUID(int=77))), "one")

    async def test_refuses_a_key_that_was_taken_back(self, db: Database) -> None:
        view = Revocations(db)
        await hear(db, hearing.SigningKeyRevoked(kid="one"))

        await view.refresh()

        with pytest.raises(TokenInvalid):
            view.require_standing(CALLER, "one")
        view.require_standing(CALLER, "two")

    @pytest.mark.parametrize(
        ("kind", "mv", "stale"),
        [
            (hearing.MemberRoleChanged, 4, True),
            (hearing.MemberRemoved, 4, True),
            (hearing.MemberRoleChanged, 3, False),  # the token was made after that change
            (hearing.MemberAdded, 1, False),
        ],
    )
    async def test_refuses_a_token_older_than_the_membership(
        self, db: Database, kind: type[hearing.Membership], mv: int, stale: bool
    ) -> None:
        view = Revocations(db)
        await hear(db, kind(**WHO, role="viewer", mv=mv))

        await view.refresh()

        if stale:
            with pytest.raises(TokenStale):
                view.require_standing(CALLER, "one")
        view.require_standing(replace(CALLER, mv=4), "one")
        view.require_standing(replace(CALLER, org_id=UUID(int=88)), "one")

    async def test_hears_what_was_committed_while_it_looked_elsewhere(self, db: Database) -> None:
        """A slow transaction's row is older than the newest one seen; it must not be missed."""
        view, slow = Revocations(db), [(given.SESSION, given.USER)]
        async with db.transaction(SERVICE) as tx:
            await auth.revoke_sessions(tx, slow)
            async with db.transaction(SERVICE) as other:
                await auth.revoke_sessions(other, [(UUID(int=5), given.USER)])
            await view.refresh()
            view.require_standing(CALLER, "one")

        await view.refresh()

        with pytest.raises(SessionRevoked):
            view.require_standing(CALLER, "one")


class TestRun:
    async def test_bites_within_a_second_and_survives_the_database(self, db: Database) -> None:
        view, stop = Revocations(db), asyncio.Event()
        running = asyncio.create_task(view.run(stop))
        await asyncio.sleep(0.05)
        await hear(db, hearing.SessionsRevoked(user_id=given.USER, session_ids=(given.SESSION,)))

        await asyncio.sleep(0.5)

        with pytest.raises(SessionRevoked):
            view.require_standing(CALLER, "one")
        stop.set()
        await asyncio.wait_for(running, 2)

    async def test_keeps_what_it_knows_while_the_database_is_away(self) -> None:
        nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing")
        view, stop = Revocations(nowhere), asyncio.Event()
        running = asyncio.create_task(view.run(stop))
        await asyncio.sleep(0.1)

        assert not running.done()
        view.require_standing(CALLER, "one")
        stop.set()
        await asyncio.wait_for(running, 5)
        await nowhere.close()


class TestHears:
    @settings(
        max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @draw(st.permutations(range(1, 6)), st.booleans())
    async def test_ends_with_the_newest_in_any_order(
        self, url: str, order: list[int], at_once: bool
    ) -> None:
        roles = ("owner", "member", "viewer", "member", "owner")
        events = [hearing.MemberRoleChanged(**WHO, role=roles[mv - 1], mv=mv) for mv in order]
        db = Database(url)
        async with db.transaction(SERVICE) as tx:
            await tx.execute(text("delete from member"))
            for batch in [events] if at_once else [[event] for event in events]:
                await hearing.keep_members(tx, heard(*batch))
            row = (await tx.execute(text("select role, mv, status from member"))).one()
        await db.close()

        assert row == ("owner", 5, "active")

    async def test_keeps_the_row_of_who_was_removed(self, db: Database) -> None:
        await hear(
            db,
            hearing.MemberAdded(**WHO, role="member", mv=1),
            hearing.MemberRemoved(**WHO, role="member", mv=2),
            hearing.MemberAdded(**WHO, role="member", mv=1),  # the same fact again
        )

        async with db.reading(SERVICE) as tx:
            row = (await tx.execute(text("select role, mv, status from member"))).one()
        assert row == ("member", 2, "removed")

    async def test_forgets_sessions_after_a_day(self, db: Database) -> None:
        async with db.transaction(SERVICE) as tx:
            await auth.revoke_sessions(tx, [(given.SESSION, given.USER)])
            heard_at = (await tx.execute(text("select heard_at from revoked_session"))).scalar_one()

        kept = await auth.prune(db, heard_at + hearing.KEPT)
        gone = await auth.prune(db, heard_at + hearing.KEPT * 2)

        assert (kept, gone) == (0, 1)

    async def test_shows_members_to_who_belongs(self, db: Database) -> None:
        await hear(db, hearing.MemberAdded(**WHO, role="member", mv=1))
        for actor, seen in [
            (Actor("user", given.USER), 1),
            (Actor("user", UUID(int=9), given.ORG), 1),
            (Actor("user", UUID(int=9), UUID(int=9)), 0),
            (Actor(), 0),
        ]:
            async with db.reading(actor) as tx:
                assert len((await tx.execute(text("select from member"))).all()) == seen
