from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazina import ids
from streaming.box import rules
from streaming.box.rules import STAY, Decision, Standing, Verdict
from streaming.profile.rules import LimitReached

HOST, STREAMER, STRANGER = ids.new(), ids.new(), ids.new()
OFF, ON, PAUSED = Standing(None, False, None), Standing(None, True, "first_viewer"), "paused"


def box(*, status: str = "open", version: int = 3) -> rules.Box:
    return rules.Box(
        id=ids.new(),
        stream_id=ids.new(),
        host_id=HOST,
        streamer_id=STREAMER,
        cell=0,
        status=status,
        stream_status="live",
        publish_policy="demand",
        is_published=False,
        publish_version=version,
        acked_version=0,
        viewer_count=0,
    )


class TestDecide:
    @pytest.mark.parametrize(
        ("standing", "sessions", "vacant_for_s", "held", "decision"),
        [
            (OFF, 0, None, False, STAY),
            (OFF, 1, None, False, Decision(Verdict.ON, "first_viewer")),
            (OFF, 1, None, True, Decision(Verdict.ON, "first_viewer")),
            (Standing(None, False, PAUSED), 2, None, False, Decision(Verdict.ON, "resumed")),
            (ON, 2, None, False, STAY),
            (ON, 0, None, False, Decision(Verdict.LINGER)),
            (ON, 0, 9.9, False, STAY),
            (ON, 1, 9.9, False, Decision(Verdict.RETURN)),
            (ON, 0, 10.0, False, Decision(Verdict.OFF, "no_viewers")),
            (ON, 0, 10.0, True, STAY),
            (Standing(PAUSED, True, None), 5, None, True, Decision(Verdict.OFF, PAUSED)),
            (Standing(PAUSED, False, None), 5, None, False, STAY),
            (
                Standing("stream_ended", True, None),
                0,
                3,
                True,
                Decision(Verdict.OFF, "stream_ended"),
            ),
            (Standing("not_live", False, None), 1, None, False, STAY),
        ],
    )
    def test_follows_demand(
        self,
        standing: Standing,
        sessions: int,
        vacant_for_s: float | None,
        held: bool,
        decision: Decision,
    ) -> None:
        decided = rules.decide(
            standing, sessions=sessions, vacant_for_s=vacant_for_s, linger_s=10, held=held
        )

        assert decided == decision

    @given(
        published=st.booleans(),
        sessions=st.integers(1, 9),
        vacant_for_s=st.none() | st.floats(0, 1e6),
        held=st.booleans(),
    )
    def test_never_stops_under_a_viewer(
        self, published: bool, sessions: int, vacant_for_s: float | None, held: bool
    ) -> None:
        decided = rules.decide(
            Standing(None, published, None),
            sessions=sessions,
            vacant_for_s=vacant_for_s,
            linger_s=10,
            held=held,
        )

        assert decided.verdict is not Verdict.OFF
        assert published or decided.verdict is Verdict.ON


class TestAcknowledge:
    def test_takes_the_newest_as_in_sync(self) -> None:
        assert rules.acknowledge(box(version=3), STREAMER, 3) is True

    def test_takes_an_older_one_as_behind(self) -> None:
        assert rules.acknowledge(box(version=3), STREAMER, 2) is False

    def test_refuses_a_version_from_the_future(self) -> None:
        with pytest.raises(rules.VersionUnknown) as no:
            rules.acknowledge(box(version=3), STREAMER, 4)

        assert no.value.facts == {"version": 3}

    @pytest.mark.parametrize("caller", [HOST, STRANGER])
    def test_refuses_all_but_the_streamer(self, caller: UUID) -> None:
        with pytest.raises(rules.BoxNotYours):
            rules.acknowledge(box(), caller, 9)


class TestAllowChange:
    @pytest.mark.parametrize("caller", [HOST, STREAMER])
    def test_lets_host_and_streamer(self, caller: UUID) -> None:
        rules.allow_change(box(), caller)

    @pytest.mark.parametrize(
        ("caller", "problem"), [(STRANGER, rules.BoxNotYours), (HOST, rules.BoxClosed)]
    )
    def test_refuses_by_the_first_broken_rule(self, caller: UUID, problem: type) -> None:
        with pytest.raises(problem):
            rules.allow_change(box(status="closed"), caller)


class TestSlotFor:
    def frame(self, status: str = "live", boxes_max: int = 4) -> rules.StreamFrame:
        return rules.StreamFrame(ids.new(), HOST, ids.new(), status, boxes_max)

    @pytest.mark.parametrize(("taken", "slot"), [([], 0), ([0], 1), ([0, 2], 1), ([1, 2], 0)])
    def test_gives_the_lowest_free(self, taken: list[int], slot: int) -> None:
        assert rules.slot_for(self.frame(), HOST, taken) == slot

    @pytest.mark.parametrize(
        ("status", "caller", "problem"),
        [
            ("ended", STRANGER, rules.StreamNotYours),
            ("ended", HOST, rules.StreamEnded),
            ("live", HOST, LimitReached),
        ],
    )
    def test_refuses_by_the_first_broken_rule(
        self, status: str, caller: UUID, problem: type
    ) -> None:
        with pytest.raises(problem):
            rules.slot_for(self.frame(status, boxes_max=1), caller, [0])

    def test_knows_no_limit_where_there_is_none(self) -> None:
        assert rules.slot_for(self.frame(boxes_max=-1), HOST, range(50)) == 50
