import asyncio

import httpx
import pytest
from sqlalchemy import text

from hazina.pg import SERVICE, Database
from hazina.standard import MovableClock

from .given import V1, People

pytestmark = pytest.mark.anyio


class TestLogin:
    @pytest.mark.parametrize("identifier", ["amina", "amina@example.com", " AMINA@example.com "])
    async def test_signs_in_by_name_or_address(self, people: People, identifier: str) -> None:
        await people.sign_up("amina")

        answer = await people.log_in(identifier)

        assert answer.status_code == 200
        assert answer.json()["user"]["username"] == "amina"

    async def test_answers_alike_who_is_unknown_and_who_is_wrong(self, people: People) -> None:
        await people.sign_up("amina")

        wrong = (await people.log_in("amina", "not the password")).json()
        unknown = (await people.log_in("nobody", "not the password")).json()

        assert wrong | {"trace_id": ""} == unknown | {"trace_id": ""}
        assert wrong["code"] == "auth.invalid_credentials"

    async def test_asks_who_never_proved_their_address(self, people: People) -> None:
        await people.ask("amina")

        challenge = await people.log_in()

        assert challenge.json()["status"] == "challenge"
        signed_in = await people.answer(challenge, await people.code())
        assert signed_in.json()["status"] == "signed_in"

    async def test_takes_a_password_however_it_was_composed(self, people: People) -> None:
        await people.ask("amina", password="nenosiri la e\u0301lan vital")

        assert (await people.log_in("amina", "nenosiri la \u00e9lan vital")).status_code == 200


class TestThrottle:
    async def test_locks_after_five_and_answers_the_same(
        self, people: People, clock: MovableClock
    ) -> None:
        await people.sign_up("amina")
        for _ in range(6):
            await people.log_in("amina", "not the password")

        locked = await people.log_in()
        clock.move(seconds=2)
        free = await people.log_in()

        assert (locked.status_code, locked.json()["code"]) == (401, "auth.invalid_credentials")
        assert free.status_code == 200

    async def test_leaves_the_owners_own_device_alone(self, people: People) -> None:
        amina = await people.sign_up("amina")
        for name in ("amina", "amina@example.com") * 4:
            await people.log_in(name, "not the password")

        elsewhere = await people.log_in()
        on_their_device = await people.log_in(device_token=amina.tokens["device_token"])

        assert elsewhere.status_code == 401
        assert on_their_device.status_code == 200
        assert on_their_device.json()["device_token"] is None

    async def test_knows_no_device_of_others(self, people: People) -> None:
        await people.sign_up("amina")
        juma = await people.sign_up("juma")
        for _ in range(6):
            await people.log_in("amina", "not the password")

        for token in (juma.tokens["device_token"], "hzd_", "hzd_AAAA", "nonsense"):
            answer = await people.log_in("amina", device_token=token)
            assert answer.status_code == 401

    async def test_tells_by_mail_of_a_new_device(self, people: People) -> None:
        amina = await people.sign_up("amina")
        await people.log_in(device_token=amina.tokens["device_token"])
        assert [mail["template"] for mail in await people.mails()] == ["signup_code"]

        await people.log_in()

        assert (await people.mails())[0]["template"] == "new_device"

    async def test_does_not_count_while_it_is_locked(self, people: People, db: Database) -> None:
        await people.sign_up("amina")
        for _ in range(9):
            await people.log_in("amina", "not the password")

        async with db.reading(SERVICE) as tx:
            failures = (await tx.execute(text("select failures from auth_throttle"))).scalar_one()
        assert failures == 6

    async def test_is_forgotten_by_a_success(self, people: People, db: Database) -> None:
        await people.sign_up("amina")
        for _ in range(4):
            await people.log_in("amina", "not the password")

        await people.log_in()

        async with db.reading(SERVICE) as tx:
            assert (await tx.execute(text("select from auth_throttle"))).all() == []


class TestAnswer:
    async def test_takes_a_code_once_from_a_crowd(self, people: People, db: Database) -> None:
        challenge, code = await people.ask(), await people.code()

        answers = await asyncio.gather(*(people.answer(challenge, code) for _ in range(6)))

        assert sorted(answer.status_code for answer in answers) == [200] + [410] * 5
        async with db.reading(SERVICE) as tx:
            assert len((await tx.execute(text("select from sessions"))).all()) == 1

    async def test_gives_the_same_tokens_to_the_same_attempt(
        self, people: People, db: Database
    ) -> None:
        challenge, code = await people.ask(), await people.code()
        key = {"Idempotency-Key": "1"}
        wrong = f"{(int(code) + 1) % 10**6:06d}"

        first = await people.answer(challenge, code, **key)
        again = await people.answer(challenge, code, **key)
        other = await people.answer(challenge, wrong, **key)

        assert first.json() == again.json()
        assert again.headers["idempotency-replayed"] == "true"
        assert other.json()["code"] == "idempotency.key_reused"
        async with db.reading(SERVICE) as tx:
            kept = (await tx.execute(text("select t::text from idempotency_answer t"))).scalars()
            assert not any(first.json()["refresh_token"] in row for row in kept)

    async def test_counts_a_wrong_attempt_once(self, people: People) -> None:
        challenge, code = await people.ask(), await people.code()
        wrong = f"{(int(code) + 1) % 10**6:06d}"
        key = {"Idempotency-Key": "1"}

        answers = [(await people.answer(challenge, wrong, **key)).json() for _ in range(3)]

        assert {(answer["code"], answer["attempts_left"]) for answer in answers} == {
            ("challenge.wrong", 4)
        }

    async def test_counts_wrong_ones_down_to_the_end(self, people: People) -> None:
        challenge, code = await people.ask(), await people.code()
        wrong = f"{(int(code) + 1) % 10**6:06d}"

        answers = [(await people.answer(challenge, wrong)).json() for _ in range(5)]

        assert [answer["attempts_left"] for answer in answers] == [4, 3, 2, 1, 0]
        assert (await people.answer(challenge, code)).json()["code"] == "challenge.over"

    async def test_is_over_after_ten_minutes(self, people: People, clock: MovableClock) -> None:
        challenge, code = await people.ask(), await people.code()
        clock.move(minutes=10)

        assert (await people.answer(challenge, code)).status_code == 410

    async def test_keeps_no_code_in_the_database(self, people: People, db: Database) -> None:
        await people.ask()
        code = await people.code()

        async with db.reading(SERVICE) as tx:
            for table in ("challenges", "notifications_outbox", "idempotency_answer"):
                rows = (await tx.execute(text(f"select t::text from {table} t"))).scalars()
                assert not any(code in row for row in rows), table

    @pytest.mark.parametrize("code", ["12345", "1234567", "abcdef", "", None, 123456])
    async def test_refuses_what_is_no_code(
        self, people: People, http: httpx.AsyncClient, code: object
    ) -> None:
        id = (await people.ask()).json()["challenge_id"]

        body = {"method": "code", "code": code}
        answer = await http.post(f"{V1}/auth/challenges/{id}/answer", json=body)

        assert answer.json()["code"] == "validation.failed"


class TestResend:
    async def test_sends_a_code_that_replaces_the_first(
        self, people: People, http: httpx.AsyncClient, clock: MovableClock
    ) -> None:
        challenge, old = await people.ask(), await people.code()
        again = f"{V1}/auth/challenges/{challenge.json()['challenge_id']}/resend"

        too_soon = await http.post(again)
        clock.move(seconds=60)
        resent = await http.post(again)

        assert (too_soon.status_code, too_soon.headers["retry-after"]) == (429, "61")
        assert resent.status_code == 202
        new = await people.code()
        if new != old:
            assert (await people.answer(challenge, old)).json()["code"] == "challenge.wrong"
        assert (await people.answer(challenge, new)).status_code == 200

    async def test_looks_the_same_for_nobodys_challenge(
        self, people: People, http: httpx.AsyncClient, clock: MovableClock
    ) -> None:
        await people.sign_up("amina")
        challenge = (await people.ask("amina", profile={})).json()
        clock.move(seconds=60)

        resent = await http.post(f"{V1}/auth/challenges/{challenge['challenge_id']}/resend")

        assert resent.status_code == 202
        assert resent.json().keys() == challenge.keys()
