from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from identity.factor import rules
from identity.factor.rules import Challenge, ChallengeOver, ChallengeTooSoon

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
OPEN = Challenge(
    id=UUID(int=1),
    purpose="signup",
    user_id=UUID(int=2),
    channel="email",
    target_enc=b"",
    secret_hash=b"right",
    attempts=0,
    resends=0,
    resend_at=NOW,
    expires_at=NOW + timedelta(minutes=10),
    used_at=None,
)


class TestAnswer:
    @pytest.mark.parametrize(("said", "right"), [(b"right", True), (b"wrong", False)])
    def test_is_right_only_for_what_was_sent(self, said: bytes, right: bool) -> None:
        judged = rules.answer(rules.require_open(OPEN, NOW), said, NOW)

        assert (judged.right, judged.attempts_left) == (right, 4)

    def test_is_never_right_for_nobodys_challenge(self) -> None:
        assert not rules.answer(replace(OPEN, secret_hash=None, user_id=None), b"", NOW).right

    @pytest.mark.parametrize(
        "over",
        [
            None,
            replace(OPEN, used_at=NOW),
            replace(OPEN, expires_at=NOW),
            replace(OPEN, attempts=5, wrong_at=NOW),
        ],
        ids=["unknown", "used", "expired", "exhausted"],
    )
    def test_is_not_heard_once_it_is_over(self, over: Challenge | None) -> None:
        with pytest.raises(ChallengeOver):
            rules.require_open(over, NOW)


class TestTries:
    @pytest.mark.parametrize(
        ("wrong_at", "tries"),
        [
            (None, 0),
            (NOW, 5),
            (NOW - rules.LIVES + timedelta(seconds=1), 5),
            (NOW - rules.LIVES, 0),
        ],
        ids=["never", "now", "just within", "just after"],
    )
    def test_weigh_until_ten_minutes_after_the_last_wrong_one(
        self, wrong_at: datetime | None, tries: int
    ) -> None:
        assert rules.tries(replace(OPEN, attempts=5, wrong_at=wrong_at), NOW) == tries

    def test_begin_again_after_that(self) -> None:
        rested = replace(OPEN, attempts=5, wrong_at=NOW - rules.LIVES)

        judged = rules.answer(rules.require_open(rested, NOW), b"wrong", NOW)

        assert judged.attempts_left == 4


class TestQuiet:
    @pytest.mark.parametrize(
        ("standing", "quiet"),
        [
            (None, False),
            (OPEN, False),
            (replace(OPEN, mailed_at=NOW), True),
            (replace(OPEN, mailed_at=NOW - timedelta(seconds=59)), True),
            (replace(OPEN, mailed_at=NOW - timedelta(seconds=60)), False),
        ],
        ids=["nothing stands", "no mail", "at once", "just within", "just after"],
    )
    def test_lasts_a_minute_from_the_mail(self, standing: Challenge | None, quiet: bool) -> None:
        assert rules.is_quiet(standing, NOW) is quiet


class TestResend:
    def test_waits_twice_as_long_each_time_and_ends(self) -> None:
        waits = []
        for resends in range(5):
            next_at = rules.resend(replace(OPEN, resends=resends), NOW)
            waits.append(next_at and (next_at - NOW).total_seconds())

        assert waits == [120, 240, 480, 960, None]

    @pytest.mark.parametrize(
        ("challenge", "retry_after_s"),
        [
            (replace(OPEN, resend_at=NOW + timedelta(seconds=59)), 60),
            (replace(OPEN, resends=5), 600),
            (replace(OPEN, resend_at=None), 600),
        ],
        ids=["early", "often", "last"],
    )
    def test_refuses_and_says_how_long(self, challenge: Challenge, retry_after_s: int) -> None:
        with pytest.raises(ChallengeTooSoon) as refused:
            rules.resend(challenge, NOW)

        assert refused.value.facts == {"retry_after_s": retry_after_s}
