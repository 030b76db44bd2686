from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from hazina import ids
from streaming.profile.rules import UserSuspended, limit
from streaming.stream import rules

HOST, STRANGER, OTHER = ids.new(), ids.new(), ids.new()
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


def stream(status: str) -> rules.Stream:
    return rules.Stream(ids.new(), HOST, ids.new(), status, None, None, None)


class TestAllowHosting:
    @pytest.mark.parametrize("role", ["owner", "member"])
    def test_lets_those_who_work_there(self, role: str) -> None:
        rules.allow_hosting(role, suspended=False)

    @pytest.mark.parametrize(
        ("suspended", "problem"), [(True, UserSuspended), (False, rules.RoleTooLow)]
    )
    @pytest.mark.parametrize("role", ["viewer", None])
    def test_refuses_by_the_first_broken_rule(
        self, role: str | None, suspended: bool, problem: type[Exception]
    ) -> None:
        with pytest.raises(problem):
            rules.allow_hosting(role, suspended=suspended)


class TestStart:
    def test_begins_a_scheduled_one(self) -> None:
        assert rules.start(stream("scheduled"), HOST, None) is True

    def test_leaves_a_live_one_as_it_is(self) -> None:
        assert rules.start(stream("live"), HOST, OTHER) is False

    @pytest.mark.parametrize(
        ("status", "caller", "problem"),
        [
            ("ended", STRANGER, rules.StreamNotYours),
            ("ended", HOST, rules.StreamEnded),
            ("scheduled", HOST, rules.AlreadyLive),
        ],
    )
    def test_refuses_by_the_first_broken_rule(
        self, status: str, caller: UUID, problem: type[Exception]
    ) -> None:
        with pytest.raises(problem):
            rules.start(stream(status), caller, OTHER)


class TestEnd:
    @pytest.mark.parametrize(
        ("status", "caller", "staff", "owns_org", "reason"),
        [
            ("live", HOST, False, False, "host"),
            ("scheduled", HOST, False, True, "cancelled"),
            ("live", STRANGER, True, False, "moderator"),
            ("live", STRANGER, False, True, "moderator"),
            ("ended", HOST, False, False, None),
        ],
    )
    def test_says_why(
        self, *, status: str, caller: UUID, staff: bool, owns_org: bool, reason: str | None
    ) -> None:
        assert rules.end(stream(status), caller, staff=staff, owns_org=owns_org) == reason

    def test_is_refused_to_strangers(self) -> None:
        with pytest.raises(rules.StreamNotYours):
            rules.end(stream("ended"), STRANGER, staff=False, owns_org=False)


class TestChange:
    def test_is_the_host_s(self) -> None:
        rules.change(stream("live"), HOST)

    @pytest.mark.parametrize(
        ("caller", "problem"), [(STRANGER, rules.StreamNotYours), (HOST, rules.StreamEnded)]
    )
    def test_refuses_by_the_first_broken_rule(self, caller: UUID, problem: type[Exception]) -> None:
        with pytest.raises(problem):
            rules.change(stream("ended"), caller)


class TestReasons:
    @pytest.mark.parametrize(
        ("viewers", "age_min", "coins", "reasons"),
        [
            (8, 10, 1, ["popular", "gifts"]),
            (7, 9, 0, ["new"]),
            (0, 60, 0, []),
        ],
    )
    def test_say_why_it_is_shown(
        self, viewers: int, age_min: int, coins: int, reasons: list[str]
    ) -> None:
        began = NOW - timedelta(minutes=age_min)

        assert reasons == rules.reasons(viewers=viewers, started_at=began, coins_60s=coins, now=NOW)


class TestLimit:
    @pytest.mark.parametrize(
        ("limits", "found"), [(None, 4), ({}, 4), ({"k": 2}, 2), ({"k": True}, 4), ({"k": -1}, -1)]
    )
    def test_is_our_own_where_billing_set_none(
        self, limits: dict[str, object] | None, found: int
    ) -> None:
        assert limit(limits, "k", 4) == found
