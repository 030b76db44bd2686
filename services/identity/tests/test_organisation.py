import asyncio
from uuid import UUID

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from hazina.pg import SERVICE, Actor, Database
from hazina.problems import Problem
from identity.organisation import rules
from identity.organisation.rules import Membership, Organisation, Role

from .given import People, Person

ORG = UUID(int=99)
roles: st.SearchStrategy[Role] = st.sampled_from(["owner", "member", "viewer"])


def org(owner: int, *, personal: bool = False) -> Organisation:
    return Organisation(
        id=ORG,
        name="Chama",
        slug="chama",
        org_type="personal" if personal else "other",
        is_personal=personal,
        owner_id=UUID(int=owner),
        version=1,
    )


def member(id: int, role: Role = "owner", mv: int = 1) -> Membership:
    return Membership(org_id=ORG, user_id=UUID(int=id), role=role, mv=mv)


class TestRules:
    @pytest.mark.parametrize(
        ("personal", "user", "problem"),
        # Each row breaks its own rule and the rules below it.
        [
            (True, 5, rules.PersonalOrg),
            (False, 5, rules.MemberUnknown),
            (False, 1, rules.LastOwner),
        ],
    )
    def test_refuses_by_the_first_broken_rule(
        self, personal: bool, user: int, problem: type[Problem]
    ) -> None:
        chama, members = org(1, personal=personal), [member(1), member(2, "member")]

        with pytest.raises(problem):
            rules.remove(chama, members, UUID(int=user))
        with pytest.raises(problem):
            rules.set_role(chama, members, UUID(int=user), "viewer")

    def test_passes_the_organisation_to_the_longest_standing_owner(self) -> None:
        members = [member(1), member(2, "member"), member(3), member(4)]

        assert rules.remove(org(1), members, UUID(int=1)).owner_id == UUID(int=3)
        assert rules.remove(org(1), members, UUID(int=3)).owner_id == UUID(int=1)

    @given(st.lists(roles, min_size=1, max_size=6), st.data())
    def test_always_has_an_owner_and_versions_that_rise(
        self, others: list[Role], data: st.DataObject
    ) -> None:
        members = [member(0), *(member(n + 1, role) for n, role in enumerate(others))]
        who = UUID(int=data.draw(st.integers(0, len(others))))
        to = data.draw(st.none() | roles)
        try:
            change = (
                rules.remove(org(0), members, who)
                if to is None
                else rules.set_role(org(0), members, who, to)
            )
        except rules.LastOwner:
            return
        if change is None:
            return

        left = {each.user_id: each for each in members}
        assert change.member.mv == left[who].mv + 1
        left[who] = change.member
        if to is None:
            del left[who]
        assert left[change.owner_id].role == "owner"

    @pytest.mark.parametrize(
        ("slug", "reason"),
        [
            *(("ab-c", None), ("a_b", "invalid"), ("-ab", "invalid"), ("ab", "invalid")),
            *(("Abc", "invalid"), ("a" * 41, "invalid"), ("hazina", "reserved")),
        ],
    )
    def test_says_what_is_wrong_with_a_slug(self, slug: str, reason: str | None) -> None:
        assert rules.slug_trouble(slug) == reason


@pytest.fixture
async def amina(people: People) -> Person:
    """Somebody who is signed in."""
    return await people.sign_up("amina")


@pytest.fixture
async def juma(people: People) -> Person:
    """Somebody else who is signed in."""
    return await people.sign_up("juma")


async def found(who: Person, **more: object) -> str:
    ask = {"name": "Chama", "org_type": "other"} | more
    return str((await who.post("/orgs", ask)).json()["id"])


async def join(db: Database, org_id: str, who: Person, role: Role) -> None:
    """Let somebody in without an invite, which comes with its own issue."""
    add = text("""
        insert into organization_members (org_id, user_id, role, mv, status, joined_at)
        values (:org, :user, :role, 1, 'active', now())
    """)
    async with db.transaction(SERVICE) as tx:
        await tx.execute(add, {"org": org_id, "user": who.id, "role": role})


@pytest.mark.anyio
class TestOrgs:
    async def test_lists_ones_own(self, amina: Person, juma: Person) -> None:
        id = await found(amina, slug="chama")

        rows = (await amina.get("/orgs")).json()["data"]

        assert [(row["slug"], row["my_role"]) for row in rows] == [
            ("amina", "owner"),
            ("chama", "owner"),
        ]
        assert [row["slug"] for row in (await juma.get("/orgs")).json()["data"]] == ["juma"]
        hidden = await juma.get(f"/orgs/{id}")
        assert (hidden.status_code, hidden.json()["code"]) == (404, "org.unknown")
        assert (await juma.get(f"/orgs/{id}/members")).status_code == 404

    async def test_pages_through_them(self, amina: Person) -> None:
        for _ in range(4):
            await found(amina)
        seen, cursor = [], None
        while True:
            at = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            page = (await amina.get("/orgs", params=at)).json()
            seen += [row["id"] for row in page["data"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break

        assert len(seen) == len(set(seen)) == 5
        assert seen == sorted(seen)

    async def test_gives_a_slug_once(self, amina: Person, juma: Person) -> None:
        ask = {"name": "Chama", "org_type": "family", "slug": "chama"}

        answers = await asyncio.gather(*(who.post("/orgs", ask) for who in (amina, juma)))

        assert sorted(answer.status_code for answer in answers) == [201, 409]

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"org_type": "personal"}, "validation.failed"),
            ({"slug": "hazina"}, "org.slug_refused"),
            ({"name": ""}, "validation.failed"),
        ],
        ids=str,
    )
    async def test_refuses(self, amina: Person, changed: dict[str, str], code: str) -> None:
        answer = await amina.post("/orgs", {"name": "C", "org_type": "other"} | changed)

        assert answer.json()["code"] == code

    async def test_is_owned_by_a_member_even_for_the_database(
        self, amina: Person, juma: Person, db: Database
    ) -> None:
        id = await found(amina)

        with pytest.raises(IntegrityError, match="owned by nobody who belongs"):
            async with db.transaction(SERVICE) as tx:
                stolen = text("update organizations set owner_id = :juma where id = :id")
                await tx.execute(stolen, {"juma": juma.id, "id": id})
        with pytest.raises(IntegrityError, match="only rises"):
            async with db.transaction(SERVICE) as tx:
                await tx.execute(text("update organization_members set mv = mv"))


@pytest.mark.anyio
class TestMembers:
    async def test_are_seen_by_who_belongs(self, amina: Person, juma: Person, db: Database) -> None:
        id = await found(amina)
        await join(db, id, juma, "viewer")

        rows = (await juma.get(f"/orgs/{id}/members")).json()["data"]

        assert [(row["username"], row["role"], row["mv"]) for row in rows] == [
            ("amina", "owner", 1),
            ("juma", "viewer", 1),
        ]

    async def test_with_a_new_role_need_a_new_token(
        self, amina: Person, juma: Person, *, db: Database, app: FastAPI
    ) -> None:
        id = await found(amina)
        await join(db, id, juma, "viewer")
        in_chama = (await juma.post("/me/sessions/current/org", {"org_id": id})).json()
        juma.tokens |= {"access_token": in_chama["access_token"]}

        changed = await amina.patch(f"/orgs/{id}/members/{juma.id}", {"role": "member"})

        assert (changed.json()["role"], changed.json()["mv"]) == ("member", 2)
        await app.state.verifier.revocations.refresh()
        assert (await juma.get("/me")).json()["code"] == "auth.token_stale"
        juma.tokens = (await juma.refresh()).json()
        assert juma.tokens["org"]["role"] == "member"
        assert (await juma.get("/me")).status_code == 200

    async def test_once_removed_are_back_in_their_own_organisation(
        self, amina: Person, juma: Person, *, db: Database, app: FastAPI
    ) -> None:
        id = await found(amina)
        await join(db, id, juma, "member")
        in_chama = (await juma.post("/me/sessions/current/org", {"org_id": id})).json()
        juma.tokens |= {"access_token": in_chama["access_token"]}

        assert (await amina.delete(f"/orgs/{id}/members/{juma.id}")).status_code == 204

        await app.state.verifier.revocations.refresh()
        assert (await juma.get("/me")).json()["code"] == "auth.token_stale"
        juma.tokens = (await juma.refresh()).json()
        assert juma.tokens["org"]["id"] == juma.org_id
        assert (await juma.get(f"/orgs/{id}")).status_code == 404
        async with db.reading(SERVICE) as tx:
            last = text("""select type, convert_from(payload, 'UTF8')::jsonb as said
                             from outbox order by pos desc limit 1""")
            row = (await tx.execute(last)).one()
        assert row.type == "identity.member.removed"
        assert row.said == {"org_id": id, "user_id": str(juma.id), "role": "member", "mv": 2}

    @pytest.mark.parametrize(
        ("role", "yes"), [("viewer", False), ("member", False), ("owner", True)]
    )
    async def test_are_changed_by_owners_only(
        self, amina: Person, juma: Person, *, db: Database, role: Role, yes: bool
    ) -> None:
        id = await found(amina)
        await join(db, id, juma, role)

        answer = await juma.patch(f"/orgs/{id}/members/{amina.id}", {"role": "viewer"})

        assert answer.status_code == (200 if yes else 403)
        if not yes:
            assert answer.json()["code"] == "auth.forbidden"

    async def test_keep_an_owner_when_two_leave_at_once(
        self, amina: Person, juma: Person, db: Database
    ) -> None:
        id = await found(amina)
        await join(db, id, juma, "owner")

        leaving = (who.delete(f"/orgs/{id}/members/{who.id}") for who in (amina, juma))
        answers = await asyncio.gather(*leaving)

        assert sorted(answer.status_code for answer in answers) == [204, 409]

    async def test_stay_in_a_personal_organisation(self, amina: Person) -> None:
        answer = await amina.delete(f"/orgs/{amina.org_id}/members/{amina.id}")

        assert (answer.status_code, answer.json()["code"]) == (409, "org.personal")

    async def test_are_hidden_from_strangers_even_by_the_database(
        self, amina: Person, juma: Person, db: Database
    ) -> None:
        await found(amina)

        async with db.reading(Actor("user", juma.id, UUID(juma.org_id))) as tx:
            orgs = (await tx.execute(text("select slug from organizations"))).scalars().all()
            users = (await tx.execute(text("select user_id from organization_members"))).scalars()
            assert (orgs, users.all()) == (["juma"], [juma.id])
