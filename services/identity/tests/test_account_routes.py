import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from hazina.pg import SERVICE, Actor, Database
from hazina.standard import MovableClock

from .given import PASSWORD, V1, People

pytestmark = pytest.mark.anyio

EVENTS = text("select type, convert_from(payload, 'UTF8')::jsonb as said from outbox order by pos")


async def told(db: Database) -> list[tuple[str, dict[str, object]]]:
    async with db.reading(SERVICE) as tx:
        return [(row.type, row.said) for row in await tx.execute(EVENTS)]


async def count(db: Database, table: str) -> int:
    async with db.reading(SERVICE) as tx:
        return int((await tx.execute(text(f"select count(*) from {table}"))).scalar_one())


class TestSignup:
    async def test_makes_a_user_with_an_organisation_and_tells_of_both(
        self, people: People, db: Database
    ) -> None:
        amina = await people.sign_up("amina")

        user_id, org_id = str(amina.id), amina.org_id
        said = await told(db)
        assert [type for type, _ in said] == [
            "identity.org.created",
            "identity.member.added",
            "identity.user.registered",
        ]
        assert said[0][1] == {
            "org_id": org_id,
            "version": 1,
            "name": "amina",
            "slug": "amina",
            "org_type": "personal",
            "is_personal": True,
            "owner_id": user_id,
        }
        assert said[1][1] == {"org_id": org_id, "user_id": user_id, "role": "owner", "mv": 1}
        assert said[2][1] | {"registered_at": ""} == {
            "user_id": user_id,
            "version": 1,
            "username": "amina",
            "display_name": "amina",
            "locale": "en",
            "marketplace_role": "buyer",
            "account_type": "user",
            "personal_org_id": org_id,
            "registered_at": "",
        }

    async def test_answers_with_a_challenge_that_the_mail_answers(self, people: People) -> None:
        challenge = await people.ask(profile={"username": "amina", "locale": "sw"})

        assert challenge.status_code == 202
        assert challenge.json() | {"challenge_id": "", "expires_at": "", "resend_at": ""} == {
            "status": "challenge",
            "challenge_id": "",
            "channel": "email",
            "methods": ["code"],
            "expires_at": "",
            "resend_at": "",
        }
        (mail,) = await people.mails()
        assert mail["subject"] == f"Msimbo wako wa Hazina: {mail['code']}"
        signed_in = (await people.answer(challenge, mail["code"])).json()
        assert signed_in["user"]["status"] == "active"
        assert signed_in["org"] | {"id": ""} == {
            "id": "",
            "slug": "amina",
            "type": "personal",
            "role": "owner",
        }
        assert 285 <= signed_in["expires_in"] <= 300

    async def test_tells_a_known_address_by_mail_only(self, people: People, db: Database) -> None:
        await people.sign_up("amina")
        facts = len(await told(db))

        again = await people.ask("amina", profile={"username": "someone_else"})

        assert again.status_code == 202
        assert again.json()["methods"] == ["code"]
        assert (await people.mails())[0]["template"] == "account_exists"
        assert (await people.answer(again, "000000")).json()["code"] == "challenge.wrong"
        assert (len(await told(db)), await count(db, "users")) == (facts, 1)

    async def test_lets_the_owner_take_an_address_that_was_registered_before_them(
        self, people: People, clock: MovableClock
    ) -> None:
        rude = {"username": "rude", "bio": "rude", "locale": "sw"}
        attackers = await people.ask("amina", password="the attacker knows this one", profile=rude)
        old_code = await people.code()
        clock.move(seconds=60)

        owners = await people.ask("amina", password=PASSWORD, profile={"first_name": "Amina"})

        assert (await people.answer(attackers, old_code)).json()["code"] == "challenge.over"
        assert (await people.answer(owners, await people.code())).status_code == 200
        me = (await people.log_in("amina@example.com")).json()
        assert (me["user"]["username"], me["user"]["display_name"]) == (None, "Amina")
        stolen = await people.log_in("amina@example.com", "the attacker knows this one")
        assert stolen.json()["code"] == "auth.invalid_credentials"

    async def test_refuses_a_username_that_is_taken_whoever_owns_the_address(
        self, people: People
    ) -> None:
        await people.sign_up("amina")

        strangers = await people.ask("juma", profile={"username": "amina"})
        owners = await people.ask("amina", profile={"username": "amina"})

        assert strangers.json()["code"] == owners.json()["code"] == "account.username_taken"

    @pytest.mark.parametrize("round_", range(3))
    async def test_gives_a_username_to_one_of_two_who_ask_at_once(
        self, people: People, db: Database, round_: int
    ) -> None:
        wanted = {"username": "amina"}

        answers = await asyncio.gather(*(people.ask(f"p{n}", profile=wanted) for n in range(4)))

        assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
        assert await count(db, "users") == await count(db, "organizations") == 1

    async def test_makes_one_user_of_a_crowd_with_one_address(
        self, people: People, db: Database
    ) -> None:
        answers = await asyncio.gather(*(people.ask(profile={}) for _ in range(5)))

        assert [answer.status_code for answer in answers] == [202] * 5
        assert await count(db, "users") == await count(db, "organization_members") == 1

    async def test_asked_twice_with_one_key_asks_once(self, people: People) -> None:
        key = {"Idempotency-Key": "first try"}

        first = await people.ask(headers=key)
        again = await people.ask(headers=key)
        other = await people.ask(headers=key, password="another long password")

        assert again.json() == first.json()
        assert again.headers["idempotency-replayed"] == "true"
        assert other.json()["code"] == "idempotency.key_reused"
        assert len(await people.mails()) == 1

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"email": "nobody"}, "account.email_refused"),
            ({"email": "a@b\r\nBcc: c@d"}, "account.email_refused"),
            ({"profile": {"username": "Amina"}}, "account.username_refused"),
            ({"profile": {"username": "admin"}}, "account.username_refused"),
            ({"password": "short"}, "password.too_short"),
            ({"password": "x" * 257}, "password.too_long"),
            ({"password": "abababababababab"}, "password.common"),
            ({"password": "amina has a long one"}, "password.contains_identity"),
            ({"profile": {"status": "active"}}, "validation.failed"),
            ({"profile": {"locale": None}}, "validation.failed"),
            ({"phone": "+254700000000"}, "validation.failed"),
        ],
        ids=str,
    )
    async def test_refuses(
        self, people: People, db: Database, changed: dict[str, Any], code: str
    ) -> None:
        answer = await people.ask(**changed)

        assert (answer.json()["code"], answer.status_code) == (code, 422)
        assert await count(db, "users") == 0


class TestMe:
    async def test_shows_all_41_fields(self, people: People) -> None:
        amina = await people.sign_up("amina")

        me = (await amina.get("/me")).json()

        assert len(me) == 41 + len({"email_verified", "phone_verified", "version"})
        assert (me["email"], me["email_verified"]) == ("amina@example.com", True)
        assert not me["profile_completed"]

    async def test_changes_what_is_said_and_takes_away_what_is_null(self, people: People) -> None:
        amina = await people.sign_up("amina")
        school = [{"school": "UoN", "year": "2020"}]
        await amina.patch("/me", {"bio": "Hujambo", "first_name": "Amina", "education": school})

        answer = await amina.patch("/me", {"bio": None, "last_name": "K"})

        me = answer.json()
        assert (me["bio"], me["first_name"], me["education"]) == (None, "Amina", school)
        assert me["profile_completed"]
        assert answer.headers["etag"] == f'"{me["version"]}"'

    async def test_tells_others_only_what_they_show(self, people: People, db: Database) -> None:
        amina = await people.sign_up("amina")
        before = len(await told(db))

        await amina.patch("/me", {"bio": "Hujambo"})
        await amina.patch("/me", {"display_name": "Amina K."})
        await amina.patch("/me", {"display_name": "Amina K."})

        (changed,) = (await told(db))[before:]
        assert changed == (
            "identity.user.profile_changed",
            {
                "user_id": str(amina.id),
                "version": 4,
                "username": "amina",
                "display_name": "Amina K.",
                "avatar_url": None,
                "locale": "en",
            },
        )

    async def test_refuses_a_change_of_what_was_changed_meanwhile(self, people: People) -> None:
        amina = await people.sign_up("amina")
        tag = (await amina.get("/me")).headers["etag"]
        assert (await amina.patch("/me", {"bio": "1"}, **{"If-Match": tag})).status_code == 200

        answer = await amina.patch("/me", {"bio": "2"}, **{"If-Match": tag})

        assert (answer.status_code, answer.json()["code"]) == (412, "precondition.failed")
        assert (await amina.get("/me")).json()["bio"] == "1"

    async def test_refuses_the_username_of_somebody_else(self, people: People) -> None:
        await people.sign_up("amina")
        juma = await people.sign_up("juma")

        answer = await juma.patch("/me", {"username": "amina"})

        assert (answer.status_code, answer.json()["code"]) == (409, "account.username_taken")

    @pytest.mark.parametrize(
        "field",
        [
            *(
                "id",
                "email",
                "phone_number",
                "account_type",
                "marketplace_role",
                "status",
                "version",
            ),
            *("profile_completed", "onboarding_completed", "created_at"),
        ],
    )
    async def test_refuses_to_change_what_is_not_theirs(self, people: People, field: str) -> None:
        amina = await people.sign_up("amina")

        assert (await amina.patch("/me", {field: "x"})).status_code == 422

    async def test_is_nobody_elses_even_for_the_database(
        self, people: People, db: Database
    ) -> None:
        amina = await people.sign_up("amina")
        juma = await people.sign_up("juma")

        async with db.reading(Actor("user", juma.id)) as tx:
            seen = (await tx.execute(text("select id from users"))).scalars().all()
            shown = (await tx.execute(text("select id from profiles order by id"))).scalars().all()
            secrets = (await tx.execute(text("select user_id from passwords"))).all()
        assert (seen, shown, secrets) == ([juma.id], sorted([amina.id, juma.id]), [])


class TestUsernames:
    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            *(("amina", "taken"), ("root", "reserved"), ("a", "invalid"), ("Amina", "invalid")),
            *(("juma", None), ("a b", "invalid")),
        ],
    )
    async def test_says_why_not(
        self, http: httpx.AsyncClient, people: People, value: str, reason: str | None
    ) -> None:
        await people.ask("amina")

        answer = await http.get(f"{V1}/usernames/{value}")

        assert answer.json() == {"value": value, "available": reason is None, "reason": reason}
