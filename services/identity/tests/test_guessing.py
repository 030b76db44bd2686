import httpx
import pytest

from hazina.standard import MovableClock

from .given import PASSWORD, V1, People

pytestmark = pytest.mark.anyio


def wrong_of(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


async def guess(people: People, challenge: httpx.Response, code: str) -> list[str]:
    """Give six answers to a challenge; give what was said to each."""
    return [str((await people.answer(challenge, code)).json()["code"]) for _ in range(6)]


class TestGuessing:
    @pytest.mark.parametrize("seconds", [0, 61])
    @pytest.mark.parametrize("door", ["login", "signup"])
    async def test_has_five_tries_however_many_challenges_are_opened(
        self, people: People, clock: MovableClock, door: str, seconds: int
    ) -> None:
        await people.ask()
        said = []
        for _ in range(8):
            clock.move(seconds=seconds)
            wrong = wrong_of(await people.code())
            challenge = await (people.log_in() if door == "login" else people.ask())
            assert challenge.json()["status"] == "challenge"
            said += await guess(people, challenge, wrong)

        assert said.count("challenge.wrong") == 5
        assert set(said) == {"challenge.wrong", "challenge.over"}
        assert len(await people.mails()) == (1 if seconds == 0 else 9)

    async def test_has_no_more_tries_for_waiting_until_the_challenge_is_over(
        self, people: People, clock: MovableClock
    ) -> None:
        challenge = await people.ask()
        wrong = wrong_of(await people.code())
        clock.move(minutes=9, seconds=59)
        first = await guess(people, challenge, wrong)
        clock.move(seconds=1)

        second = await guess(people, await people.log_in(), wrong)

        assert (first.count("challenge.wrong"), set(second)) == (5, {"challenge.over"})

    async def test_mails_who_proved_their_address_once_a_minute(
        self, people: People, clock: MovableClock
    ) -> None:
        await people.sign_up("amina")
        for seconds in (0, 0, 0, 59, 1, 0):
            clock.move(seconds=seconds)
            await people.ask("amina", profile={})

        templates = [mail["template"] for mail in await people.mails()]
        assert templates == ["account_exists", "account_exists", "signup_code"]

    async def test_looks_the_same_for_an_address_that_somebody_proved(self, people: People) -> None:
        await people.ask("juma")
        juma = [await people.ask("juma", profile={}) for _ in range(2)]
        await people.sign_up("amina")
        amina = [await people.ask("amina", profile={}) for _ in range(2)]

        # The code of nobody's challenge is not known, so any is wrong; Juma's was not mailed.
        said = [
            [
                (answer.json()["code"], answer.json().get("attempts_left"))
                for challenge in challenges
                for answer in [await people.answer(challenge, "000000")]
            ]
            for challenges in (juma, amina)
        ]

        assert said[0] == said[1] == [("challenge.over", None), ("challenge.wrong", 4)]


class TestOwner:
    async def test_is_through_ten_minutes_after_the_last_guess(
        self, people: People, clock: MovableClock
    ) -> None:
        await guess(people, await people.ask(), wrong_of(await people.code()))
        for _ in range(9):  # a stranger who goes on opening challenges blocks nobody longer
            clock.move(seconds=61)
            await people.log_in()
        challenge, code = await people.log_in(), await people.code()
        blocked = await people.answer(challenge, code)
        clock.move(seconds=51)

        through = await people.answer(challenge, code)

        assert (blocked.json()["code"], through.status_code) == ("challenge.over", 200)

    async def test_signs_in_with_the_code_of_the_mail_that_they_got_just_now(
        self, people: People
    ) -> None:
        first = await people.ask()

        challenge = await people.log_in()

        assert challenge.json() == first.json()
        assert (await people.answer(challenge, await people.code())).status_code == 200

    async def test_proves_no_newer_signup_with_the_code_of_an_older_one(
        self, people: People, http: httpx.AsyncClient, clock: MovableClock
    ) -> None:
        owners, code = await people.ask(), await people.code()
        strangers = await people.ask(password="the stranger knows this one")

        said = [(await people.answer(asked, code)).json()["code"] for asked in (owners, strangers)]

        assert said == ["challenge.over", "challenge.wrong"]
        assert len(await people.mails()) == 1
        clock.move(seconds=60)
        mine = await people.ask(password=PASSWORD)
        assert (await people.answer(mine, await people.code())).status_code == 200

    async def test_who_got_no_mail_has_it_sent_after_a_minute(
        self, people: People, http: httpx.AsyncClient, clock: MovableClock
    ) -> None:
        await people.ask()
        challenge = await people.ask()
        clock.move(seconds=60)

        await http.post(f"{V1}/auth/challenges/{challenge.json()['challenge_id']}/resend")

        assert len(await people.mails()) == 2
        assert (await people.answer(challenge, await people.code())).status_code == 200
