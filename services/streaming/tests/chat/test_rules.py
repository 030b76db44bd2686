from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from hazina import ids
from streaming.chat import rules
from streaming.profile.rules import UserSuspended

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
HOST, SPEAKER = ids.new(), ids.new()
LATER, EARLIER = NOW + timedelta(seconds=5), NOW - timedelta(seconds=5)


def room(*, slow: int = 0, status: str = "live") -> rules.Room:
    return rules.Room(ids.new(), date(2026, 11, 21), slow, HOST, status)


def speaker(
    *,
    who: UUID = SPEAKER,
    suspended: bool = False,
    sanction: str | None = None,
    until: datetime | None = None,
    spoke: datetime | None = None,
) -> rules.Speaker:
    return rules.Speaker(who, suspended, sanction, until, spoke)


class TestSpeak:
    @pytest.mark.parametrize(
        ("ask", "problem"),
        # Each row breaks its own rule and the ones below it, so the order is proven too.
        [
            (speaker(suspended=True, sanction="ban", spoke=NOW), UserSuspended),
            (speaker(sanction="ban", spoke=NOW), rules.ChatBanned),
            (speaker(sanction="timeout", until=LATER, spoke=NOW), rules.ChatTimedOut),
            (speaker(spoke=NOW), rules.ChatNotLive),
        ],
    )
    def test_refuses_by_the_first_broken_rule(
        self, ask: rules.Speaker, problem: type[Exception]
    ) -> None:
        with pytest.raises(problem):
            rules.speak(room(slow=10, status="ended"), ask, NOW)

    def test_says_how_long_to_wait(self) -> None:
        with pytest.raises(rules.SlowMode) as no:
            rules.speak(room(slow=10), speaker(spoke=EARLIER), NOW)

        assert no.value.facts == {"retry_after_ms": 5_000, "retry_after_s": 5}

    @pytest.mark.parametrize(
        "ask",
        [
            speaker(),
            speaker(spoke=NOW - timedelta(seconds=10)),
            speaker(sanction="timeout", until=EARLIER),
            speaker(who=HOST, spoke=NOW),
        ],
    )
    def test_lets_everybody_else(self, ask: rules.Speaker) -> None:
        rules.speak(room(slow=10), ask, NOW)


class TestClean:
    @pytest.mark.parametrize(
        ("body", "kept"),
        [
            ("  Habari  ", "Habari"),
            ("e\u0301", "é"),
            ("two\nlines", "two\nlines"),
            ("be\u0007ll\r", "bell"),
        ],
    )
    def test_brings_a_message_into_one_form(self, body: str, kept: str) -> None:
        assert rules.clean(body) == kept

    @pytest.mark.parametrize("body", ["", " \n ", "\u0007"])
    def test_refuses_what_cannot_be_seen(self, body: str) -> None:
        with pytest.raises(rules.BodyEmpty):
            rules.clean(body)
