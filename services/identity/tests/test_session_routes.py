import asyncio
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from hazina.auth import Verifier
from hazina.pg import SERVICE, Database
from hazina.standard import MovableClock
from identity.session import actions as sessions

from .given import V1, People, Person

pytestmark = pytest.mark.anyio

REVOKED = text("""
    select convert_from(payload, 'UTF8')::jsonb as said from outbox
     where type = 'identity.session.revoked' order by pos
""")


WAITERS = text("select exists (select from pg_locks where not granted)")


async def revoked(db: Database) -> list[dict[str, object]]:
    async with db.reading(SERVICE) as tx:
        return list((await tx.execute(REVOKED)).scalars())


async def bite(app: FastAPI) -> None:
    """Let what was taken back be known, as the poll does within half a second."""
    verifier: Verifier = app.state.verifier
    assert verifier.revocations
    await verifier.revocations.refresh()


@pytest.fixture
async def amina(people: People) -> Person:
    """Somebody who is signed in."""
    return await people.sign_up("amina")


class TestRefresh:
    async def test_gives_tokens_that_work(self, amina: Person, clock: MovableClock) -> None:
        clock.move(minutes=4)

        answer = await amina.refresh()

        first, amina.tokens = amina.tokens, answer.json()
        assert "refresh-reuse" not in answer.headers
        assert amina.tokens["refresh_token"] != first["refresh_token"]
        assert amina.tokens["session_id"] == first["session_id"]
        assert (await amina.get("/me")).status_code == 200

    async def test_that_waited_for_a_sign_out_gives_nothing(
        self, amina: Person, db: Database, clock: MovableClock
    ) -> None:
        async with db.transaction(SERVICE) as tx:
            await sessions.end_in(
                tx, amina.id, [UUID(amina.session_id)], reason="signed_out", now=clock()
            )
            waiting = asyncio.create_task(amina.refresh())
            while not (await tx.execute(WAITERS)).scalar_one():  # noqa: ASYNC110  PostgreSQL's
                await asyncio.sleep(0.01)

        answer = await waiting

        assert answer.json()["code"] == "auth.session_expired"

    async def test_gives_a_lost_answer_again_a_day_later(
        self, amina: Person, clock: MovableClock
    ) -> None:
        lost = (await amina.refresh()).json()
        clock.move(hours=23)

        again = await amina.refresh()

        assert again.headers["refresh-reuse"] == "lost_answer"
        assert again.json()["refresh_token"] == lost["refresh_token"]

    async def test_gives_a_crowd_of_tabs_one_token(self, amina: Person) -> None:
        answers = await asyncio.gather(*(amina.refresh() for _ in range(20)))

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1
        assert [answer.headers.get("refresh-reuse") for answer in answers].count(None) == 1

    async def test_ends_the_session_of_a_token_used_again(
        self,
        amina: Person,
        people: People,
        *,
        clock: MovableClock,
        db: Database,
        app: FastAPI,
    ) -> None:
        stolen = amina.tokens["refresh_token"]
        for _ in range(2):
            clock.move(minutes=5)
            amina.tokens = (await amina.refresh()).json()
        clock.move(seconds=11)

        thief = await amina.refresh(stolen)

        assert (thief.status_code, thief.json()["code"]) == (401, "auth.refresh_reused")
        assert (await amina.refresh()).json()["code"] == "auth.session_expired"
        await bite(app)
        assert (await amina.get("/me")).json()["code"] == "auth.session_revoked"
        (told,) = await revoked(db)
        assert told["session_ids"] == [amina.session_id]
        assert told["reason"] == "refresh_reused"
        assert (await people.mails())[0]["template"] == "session_stolen"
        async with db.reading(SERVICE) as tx:
            events = (
                await tx.execute(text("select event_type, severity from security_events"))
            ).all()
        assert events == [("session.refresh_reused", "critical")]

    @pytest.mark.parametrize("token", ["", "hzr_", "hzr_AAAA", "x" * 200])
    async def test_refuses_what_is_no_token(self, amina: Person, token: str) -> None:
        answer = await amina.http.post(f"{V1}/auth/refresh", json={"refresh_token": token})

        assert (answer.status_code, answer.json()["code"]) == (401, "auth.refresh_invalid")

    async def test_is_over_after_two_weeks_of_silence(
        self, amina: Person, clock: MovableClock
    ) -> None:
        clock.move(days=14)

        assert (await amina.refresh()).json()["code"] == "auth.session_expired"

    async def test_is_over_after_thirty_days_whatever_happens(
        self, amina: Person, clock: MovableClock
    ) -> None:
        for _ in range(3):
            clock.move(days=9)
            amina.tokens = (await amina.refresh()).json()
        clock.move(days=3)

        assert (await amina.refresh()).json()["code"] == "auth.session_expired"

    @pytest.mark.parametrize("status", ["suspended", "banned"])
    async def test_refuses_who_may_not_sign_in(
        self, amina: Person, people: People, db: Database, status: str
    ) -> None:
        async with db.transaction(SERVICE) as tx:
            await tx.execute(text("update users set status = :status"), {"status": status})

        assert (await amina.refresh()).json()["code"] == f"account.{status}"
        assert (await people.log_in()).json()["code"] == f"account.{status}"


class TestEnd:
    async def test_logout_ends_the_session_here_and_everywhere(
        self, amina: Person, db: Database, app: FastAPI
    ) -> None:
        assert (await amina.post("/auth/logout")).status_code == 204

        await bite(app)
        assert (await amina.get("/me")).json()["code"] == "auth.session_revoked"
        assert (await amina.refresh()).json()["code"] == "auth.session_expired"
        (told,) = await revoked(db)
        assert told["session_ids"] == [amina.session_id]

    async def test_ends_all_others_at_once(
        self, amina: Person, people: People, db: Database
    ) -> None:
        others = [(await people.log_in()).json() for _ in range(3)]

        assert (await amina.delete("/me/sessions")).status_code == 204

        left = (await amina.get("/me/sessions")).json()["data"]
        assert [(row["id"], row["current"]) for row in left] == [(amina.session_id, True)]
        (told,) = await revoked(db)
        assert told["session_ids"] == sorted(other["session_id"] for other in others)

    async def test_ends_one_and_again_changes_nothing(
        self, amina: Person, people: People, db: Database
    ) -> None:
        other = (await people.log_in()).json()["session_id"]

        first = await amina.delete(f"/me/sessions/{other}")
        again = await amina.delete(f"/me/sessions/{other}")

        assert (first.status_code, again.status_code) == (204, 204)
        assert len(await revoked(db)) == 1

    async def test_knows_nothing_of_sessions_of_others(self, amina: Person, people: People) -> None:
        juma = await people.sign_up("juma")

        answer = await juma.delete(f"/me/sessions/{amina.session_id}")

        assert (answer.status_code, answer.json()["code"]) == (404, "session.unknown")
        assert (await amina.refresh()).status_code == 200

    async def test_ends_the_idlest_beyond_fifty(
        self, amina: Person, clock: MovableClock, db: Database
    ) -> None:
        fill = text("""
            with made as (
                insert into sessions (id, user_id, org_id, aal, amr, auth_at, expires_at)
                select uuidv7(), :user, :org, 1, '{pwd}', :now, :now + interval '30 days'
                  from generate_series(1, 49) returning id
            )
            insert into refresh_tokens
                   (session_id, key_enc, counter, last_refreshed_at, expires_at)
            select id, '', 0, cast(:now as timestamptz) + interval '1 minute', :now from made
        """)
        who = {"user": amina.id, "org": amina.org_id, "now": clock()}
        async with db.transaction(SERVICE) as tx:
            await tx.execute(fill, who)
        clock.move(minutes=2)

        await People(amina.http).log_in()

        (told,) = await revoked(db)
        assert (told["session_ids"], told["reason"]) == ([amina.session_id], "too_many")


class TestSwitchOrg:
    async def test_acts_in_another_organisation_until_it_leaves(
        self, amina: Person, app: FastAPI
    ) -> None:
        chama = (await amina.post("/orgs", {"name": "Chama", "org_type": "other"})).json()

        switched = await amina.post("/me/sessions/current/org", {"org_id": chama["id"]})

        assert switched.json()["org"]["id"] == chama["id"]
        assert switched.json()["refresh_token"] is None
        refreshed = (await amina.refresh()).json()
        assert refreshed["org"]["id"] == chama["id"]

    async def test_refuses_an_organisation_of_others(self, amina: Person, people: People) -> None:
        juma = await people.sign_up("juma")

        answer = await amina.post("/me/sessions/current/org", {"org_id": juma.org_id})

        assert (answer.status_code, answer.json()["code"]) == (403, "org.not_member")


async def test_tokens_are_refused_without_their_own_signature(
    amina: Person, http: httpx.AsyncClient
) -> None:
    token = amina.tokens["access_token"]
    headers = {"Authorization": f"Bearer {token[:-2]}AA"}

    assert (await http.get(f"{V1}/me", headers=headers)).json()["code"] == "auth.token_invalid"
