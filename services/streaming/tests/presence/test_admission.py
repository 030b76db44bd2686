from dataclasses import replace
from typing import Any

import pytest

from hazina import ids
from streaming.box.rules import BoxClosed
from streaming.presence import rules
from streaming.presence.rules import Joining
from streaming.profile.rules import LimitReached, UserSuspended

from .test_audience import box_facts

GOOD = Joining(
    viewer_id=ids.new(),
    suspended=False,
    banned=False,
    box=box_facts(),
    viewers_max=-1,
    viewers=0,
    new_viewer=True,
    sessions=0,
)
# From the last rule to the first: each row breaks one more, and that one must win.
BROKEN: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"sessions": 5}, rules.TooManySessions),
    ({"viewers_max": 3, "viewers": 3}, LimitReached),
    ({"box": replace(GOOD.box, streamer_id=GOOD.viewer_id)}, rules.OwnBox),
    ({"box": replace(GOOD.box, streamer_id=GOOD.viewer_id, status="closed")}, BoxClosed),
    (
        {"box": replace(GOOD.box, status="closed", stream_status="ended")},
        rules.StreamNotLive,
    ),
    ({"banned": True}, rules.ViewerBanned),
    ({"suspended": True}, UserSuspended),
]


class TestAdmit:
    def test_lets_a_viewer_in(self) -> None:
        rules.admit(GOOD)

    @pytest.mark.parametrize("broken", range(1, len(BROKEN) + 1))
    def test_refuses_by_the_first_broken_rule(self, broken: int) -> None:
        changes: dict[str, Any] = {}
        for change, _ in BROKEN[:broken]:
            changes |= change

        with pytest.raises(BROKEN[broken - 1][1]):
            rules.admit(replace(GOOD, **changes))

    def test_counts_a_viewer_once_towards_the_limit(self) -> None:
        rules.admit(replace(GOOD, viewers_max=1, viewers=1, new_viewer=False, sessions=1))
