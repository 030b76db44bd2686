"""How the end of viewings is told: a box at a time, each viewing once."""

from collections.abc import Iterable
from itertools import groupby

from streaming.presence.events import ITEMS_MAX, Left, ViewerLeft
from streaming.presence.rules import BoxFacts, Departure, Session, Watched
from streaming.presence.store import Orphan


def told_of(gone: Iterable[Departure]) -> list[ViewerLeft]:
    """Say who left, a box at a time and at most 500 at once."""
    told: list[ViewerLeft] = []
    by_box = sorted(gone, key=lambda one: one.session.box.id)
    for _, group in groupby(by_box, key=lambda one: one.session.box.id):
        every = list(group)
        facts = every[0].session.box.facts
        for start in range(0, len(every), ITEMS_MAX):
            items = tuple(_item(one) for one in every[start : start + ITEMS_MAX])
            told.append(
                ViewerLeft(
                    box_id=facts.id, stream_id=facts.stream_id, org_id=facts.org_id, items=items
                )
            )
    return told


def departed(orphan: Orphan, box: BoxFacts) -> Departure:
    """Make the end of a viewing that only the mirror knew."""
    session = Session(orphan.session_id, Watched(box), orphan.viewer_id, "", orphan.joined_at, -1)
    return Departure(session, orphan.last_active_at, "timeout")


def _item(one: Departure) -> Left:
    session = one.session
    return Left.model_validate(
        {
            "session_id": session.id,
            "viewer_id": session.viewer_id,
            "joined_at": session.joined_at,
            "left_at": max(one.left_at, session.joined_at),
            "watched_s": one.watched_s,
            "reason": one.reason,
        }
    )
