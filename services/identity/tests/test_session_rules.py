from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazina.problems import Problem
from identity.session import rules
from identity.session.rules import Counter, Refresh

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
COUNTER = Counter(
    session_id=UUID(int=7),
    value=9,
    last_refreshed_at=NOW - timedelta(hours=1),
    lost_answers=0,
    lost_at=None,
    expires_at=NOW + timedelta(days=14),
)
counters = st.integers(0, 2**63 - 1)
ids = st.uuids()


class TestToken:
    @given(ids, counters)
    def test_survives_the_way_there_and_back(self, session_id: UUID, counter: int) -> None:
        read = rules.read_token(rules.write_token(session_id, counter, KEY))

        assert (read.session_id, read.counter) == (session_id, counter)
        rules.require_ours(read, KEY)
        with pytest.raises(rules.RefreshInvalid):
            rules.require_ours(read, OTHER_KEY)

    @given(ids, counters, st.data())
    def test_is_refused_with_any_letter_changed(
        self, session_id: UUID, counter: int, data: st.DataObject
    ) -> None:
        token = rules.write_token(session_id, counter, KEY)
        place = data.draw(st.integers(0, len(token) - 1))
        letter = data.draw(st.sampled_from("ABCxyz0189-_.=+ é"))
        changed = token[:place] + letter + token[place + 1 :]
        if changed == token:
            return

        with pytest.raises(rules.RefreshInvalid):
            rules.require_ours(rules.read_token(changed), KEY)

    @given(st.text(max_size=150) | st.binary(max_size=90).map(lambda raw: "hzr_" + raw.hex()))
    def test_never_fails_but_by_refusing(self, text: str) -> None:
        with pytest.raises(rules.RefreshInvalid):
            rules.read_token(text)


class TestRefresh:
    @pytest.mark.parametrize(
        ("presented", "since_s", "lost", "meaning"),
        [
            (9, 3600, 0, Refresh.NEXT),
            (9, 0, 0, Refresh.NEXT),
            (8, 9, 0, Refresh.CONCURRENT),
            (3, 9, 5, Refresh.CONCURRENT),
            (8, 10, 0, Refresh.LOST_ANSWER),
            (8, 10, 4, Refresh.LOST_ANSWER),
            (8, 10, 5, Refresh.THEFT),  # a thief and an owner taking turns
            (7, 10, 0, Refresh.THEFT),
            (0, 10, 0, Refresh.THEFT),
        ],
    )
    def test_says_what_a_token_means(
        self, presented: int, since_s: int, lost: int, meaning: Refresh
    ) -> None:
        counter = replace(
            COUNTER,
            last_refreshed_at=NOW - timedelta(seconds=since_s),
            lost_answers=lost,
            lost_at=NOW - timedelta(hours=23) if lost else None,
        )

        assert rules.refresh(counter, presented, NOW) is meaning

    def test_refuses_a_token_that_was_never_given_out(self) -> None:
        with pytest.raises(rules.RefreshInvalid):
            rules.refresh(COUNTER, 10, NOW)

    def test_forgives_answers_that_were_lost_yesterday(self) -> None:
        counter = replace(COUNTER, lost_answers=5, lost_at=NOW - timedelta(hours=24))

        assert rules.refresh(counter, 8, NOW) is Refresh.LOST_ANSWER
        assert rules.lost(counter, NOW) == (1, NOW)

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=40))
    def test_never_forks(self, steps: list[tuple[bool, int]]) -> None:
        """Two holders of one token, refreshing in any order: at most one token is ever good."""
        now, counter, held = NOW, replace(COUNTER, value=0, last_refreshed_at=NOW), [0, 0]
        for who, wait_s in steps:
            now += timedelta(seconds=wait_s)
            try:
                meaning = rules.refresh(counter, held[who], now)
            except Problem:
                return
            if meaning is Refresh.THEFT:
                return
            if meaning is Refresh.NEXT:
                counter = replace(counter, value=counter.value + 1, last_refreshed_at=now)
            if meaning is Refresh.LOST_ANSWER:
                answers, since = rules.lost(counter, now)
                counter = replace(counter, lost_answers=answers, lost_at=since)
            held[who] = counter.value
            assert max(held) == counter.value

    def test_sees_two_who_take_turns(self) -> None:
        """A thief and an owner, each refreshing after the other, are found within a day."""
        now, counter, held, meanings = NOW, replace(COUNTER, value=0), [0, 0], []
        for turn in range(40):
            now += timedelta(minutes=5)
            meaning = rules.refresh(counter, held[turn % 2], now)
            meanings.append(meaning)
            if meaning is Refresh.THEFT:
                break
            if meaning is Refresh.NEXT:
                counter = replace(counter, value=counter.value + 1, last_refreshed_at=now)
            else:
                answers, since = rules.lost(counter, now)
                counter = replace(counter, lost_answers=answers, lost_at=since)
            held[turn % 2] = counter.value

        assert meanings[-1] is Refresh.THEFT


class TestRequireWelcome:
    @pytest.mark.parametrize(
        ("status", "problem"),
        [
            ("suspended", rules.AccountSuspended),
            ("banned", rules.AccountBanned),
            ("erased", rules.SessionExpired),
            ("unverified", rules.SessionExpired),
        ],
    )
    def test_refuses(self, status: str, problem: type[Problem]) -> None:
        user = rules.UserBrief(UUID(int=1), None, "A", "user", "buyer", status)

        with pytest.raises(problem):
            rules.require_welcome(user)
        for fine in ("active", "erasing"):
            rules.require_welcome(replace(user, status=fine))


class TestLives:
    def test_is_shorter_for_staff(self) -> None:
        day, hour = timedelta(days=1), timedelta(hours=1)

        assert (rules.lives("user"), rules.idles("user")) == (30 * day, 14 * day)
        assert (rules.lives("admin"), rules.idles("super_admin")) == (day, hour)


class TestDeviceToken:
    @given(ids, st.binary(min_size=32, max_size=32))
    def test_survives_the_way_there_and_back(self, id: UUID, secret: bytes) -> None:
        assert rules.read_device_token(rules.write_device_token(id, secret)) == (id, secret)

    @given(st.text(max_size=200) | st.binary(max_size=60).map(lambda raw: "hzd_" + raw.hex()))
    def test_is_nobodys_when_it_is_nonsense(self, text: str) -> None:
        assert rules.read_device_token(text) is None


class TestRequireAlive:
    @pytest.mark.parametrize("ended", ["ended_at", "expires_at", "idle"])
    def test_refuses_a_session_that_is_over(self, ended: str) -> None:
        session = rules.Session(
            id=COUNTER.session_id,
            user_id=UUID(int=1),
            org_id=UUID(int=2),
            aal=1,
            amr=("pwd",),
            auth_at=NOW,
            expires_at=NOW + timedelta(seconds=1),
        )
        rules.require_alive(session, COUNTER, NOW)
        counter = replace(COUNTER, expires_at=NOW) if ended == "idle" else COUNTER
        over = {
            "ended_at": replace(session, ended_at=NOW),
            "expires_at": replace(session, expires_at=NOW),
            "idle": session,
        }[ended]

        with pytest.raises(rules.SessionExpired):
            rules.require_alive(over, counter, NOW)
