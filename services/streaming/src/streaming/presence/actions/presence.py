"""What viewers do: join, beat, leave. Heartbeats touch memory alone."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hazina import ids
from hazina.auth import Caller
from hazina.pg import SERVICE, Database
from streaming.box.rules import BoxUnknown
from streaming.cell.actions import Cells
from streaming.cell.rules import LeaseLost
from streaming.channel import rules as channels
from streaming.channel.actions import Hub
from streaming.presence import rules, store
from streaming.presence.rules import Audience, BoxFacts, Pace, Session
from streaming.profile.rules import UNLIMITED, limit


@dataclass(frozen=True, slots=True)
class Joined:
    """A viewing as its viewer learns of it."""

    session_id: UUID
    box_id: UUID
    generation: int
    is_published: bool
    publish_version: int
    viewer_count: int


@dataclass(frozen=True, slots=True)
class Counted:
    """How many watch a box, as memory knows."""

    viewers: int
    sessions: int
    suspect: int
    is_published: bool
    publish_version: int


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody who watches a box, in however many sessions."""

    viewer_id: UUID
    sessions: int
    joined_at: datetime


class Presence:
    """The audience of this process with all that it needs to act.

    Everything that touches the audience runs on the event loop and between two awaits, so no
    lock is needed; what is written is written by one task (`upkeep`).
    """

    def __init__(
        self,
        db: Database,
        *,
        cells: Cells,
        hub: Hub,
        pace: Pace,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        viewers_max: int,
    ) -> None:
        """Take the parts; nothing is read or started yet."""
        self.db = db
        self.cells = cells
        self.hub = hub
        self.pace = pace
        self.clock = clock
        self.monotonic = monotonic
        self.audience = Audience(pace, monotonic())
        self._viewers_max = viewers_max
        self._round: asyncio.Future[None] | None = None

    # --- what viewers ask ------------------------------------------------------------------

    async def join(self, caller: Caller, box_id: UUID) -> tuple[Session, Joined]:
        """Begin to watch a box, or take up a viewing that was about to end.

        Answers after the change of the publish state that it causes is committed.
        """
        viewer_id = caller.require_user()
        sid = caller.session_id or ""
        session = self.audience.find_resumable(box_id, viewer_id, sid)
        if session is not None:
            self.audience.resume(session, self.monotonic())
            return session, joined(session)
        # As the service: a viewer may not read the limits of the host's organisation.
        async with self.db.reading(SERVICE) as tx:
            known = await store.find_joiner(tx, box_id, viewer_id)
        if known is None:
            raise BoxUnknown(id=str(box_id))
        if not self.cells.owns(known.box.cell):
            raise LeaseLost(frozenset({known.box.cell}))
        session = self._enter(known, viewer_id, sid)
        if not session.box.facts.is_published or session.box.vacant_at is not None:
            await self._settled(session)
        return session, joined(session)

    def find(self, session_id: UUID, viewer_id: UUID) -> Session:
        """Find one's own viewing; another's is as good as none."""
        session = self.audience.sessions.get(session_id)
        if session is None or session.viewer_id != viewer_id:
            raise rules.SessionGone(session_id=str(session_id))
        return session

    def beat(self, session: Session, age_s: float = 0) -> None:
        """Note that a viewing was heard `age_s` seconds ago."""
        self.audience.hear(session, self.monotonic() - age_s)
        if session.state is not rules.State.LIVE and age_s == 0:
            self.audience.resume(session, self.monotonic())

    def leave(self, session: Session, reason: str = "left") -> None:
        """End a viewing at once."""
        self.end([session], reason)

    def end(self, sessions: Iterable[Session], reason: str) -> None:
        """End viewings at once; those who look on are told."""
        now, at = self.monotonic(), self.clock()
        for session in list(sessions):
            self.audience.end(session, reason, now, at)
            self._tell_left(session)
        self.cells.stirred.set()

    def count(self, box: BoxFacts) -> Counted:
        """Count who watches a box."""
        watched = self.audience.boxes.get(box.id)
        if watched is None:
            return Counted(0, 0, 0, box.is_published, box.publish_version)
        doubted = sum(1 for s in watched.sessions.values() if s.state is not rules.State.LIVE)
        facts = watched.facts
        return Counted(
            len(watched.viewers),
            len(watched.sessions),
            doubted,
            facts.is_published,
            facts.publish_version,
        )

    def members(self, box_id: UUID) -> list[Present]:
        """List who watches a box, in the order in which they came."""
        watched = self.audience.boxes.get(box_id)
        if watched is None:
            return []
        first: dict[UUID, datetime] = {}
        for session in watched.sessions.values():
            known = first.get(session.viewer_id, session.joined_at)
            first[session.viewer_id] = min(known, session.joined_at)
        found = [Present(id, watched.viewers[id], at) for id, at in first.items()]
        return sorted(found, key=lambda one: (one.joined_at, one.viewer_id))

    async def read_box(self, caller: Caller, box_id: UUID) -> BoxFacts:
        """Read a box, from memory where it is watched."""
        watched = self.audience.boxes.get(box_id)
        if watched is not None:
            return watched.facts
        async with self.db.reading(caller.actor) as tx:
            found = await store.read_boxes(tx, [box_id])
        if not found:
            raise BoxUnknown(id=str(box_id))
        return found[0]

    async def names(self, caller: Caller, people: Iterable[UUID]) -> dict[UUID, str | None]:
        """Give people's display names."""
        async with self.db.reading(caller.actor) as tx:
            return await store.list_names(tx, list(people))

    # --- what its upkeep asks --------------------------------------------------------------

    def take_round(self) -> "asyncio.Future[None] | None":
        """Take what waits for the next transaction, to be told how it ended."""
        waiting, self._round = self._round, None
        return waiting

    def tell_state(self, facts: BoxFacts, viewers: int) -> None:
        """Tell watchers and the publisher how a box's publish state stands."""
        self.hub.publish(f"box:{facts.id}", state_of(facts, viewers))
        self.hub.publish(f"ctl:{facts.id}", command_of(facts))

    def remind(self, facts: BoxFacts) -> None:
        """Tell the publisher alone once more what it is to do."""
        self.hub.publish(f"ctl:{facts.id}", command_of(facts))

    def tell_gone(self, sessions: Iterable[Session]) -> None:
        """Tell those who look on that viewings are over."""
        for session in sessions:
            self._tell_left(session)

    # --- inside ----------------------------------------------------------------------------

    def _enter(self, known: store.Joiner, viewer_id: UUID, sid: str) -> Session:
        """Admit and take in, with no await between, so that nobody slips past a limit."""
        now, at = self.monotonic(), self.clock()
        self.audience.learn(known.box, now, at)
        watched = self.audience.boxes.get(known.box.id)
        facts = known.box if watched is None else watched.facts
        most = limit(known.limits, "max_concurrent_viewers", self._viewers_max)
        rules.admit(
            rules.Joining(
                viewer_id=viewer_id,
                suspended=known.suspended,
                banned=known.banned,
                box=facts,
                viewers_max=most,
                viewers=0 if most == UNLIMITED else self.audience.viewers_of(facts.org_id),
                new_viewer=watched is None or viewer_id not in watched.viewers,
                sessions=0 if watched is None else watched.sessions_of(viewer_id),
            )
        )
        assert watched is not None, "a box that may be watched was taken in"
        session = self.audience.join(ids.new(), watched, viewer_id, sid, now=now, at=at)
        if watched.sessions_of(viewer_id) == 1 and len(watched.viewers) <= MEMBERS_TOLD_MAX:
            name = f"box:{watched.id}"
            self.hub.spread([channels.arrival(name, viewer_id, session.id)])
        return session

    async def _settled(self, session: Session) -> None:
        """Wait until what a join causes is written; a join that cannot be written never was."""
        if self._round is None:
            self._round = asyncio.get_running_loop().create_future()
        waiting = self._round
        self.cells.stirred.set()
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            self.end([session], "closed")  # whoever asked is gone already
            raise
        except Exception:
            self.audience.undo(session)
            raise

    def _tell_left(self, session: Session) -> None:
        watched = session.box
        if session.viewer_id not in watched.viewers and len(watched.viewers) < MEMBERS_TOLD_MAX:
            name = f"box:{watched.id}"
            self.hub.spread([channels.departure(name, session.viewer_id, session.id)])


MEMBERS_TOLD_MAX = 100  # above it, numbers are told and no names


def joined(session: Session) -> Joined:
    """Tell a viewer how their viewing stands."""
    facts = session.box.facts
    return Joined(
        session.id,
        facts.id,
        session.generation,
        facts.is_published,
        facts.publish_version,
        len(session.box.viewers),
    )


def state_of(facts: BoxFacts, viewers: int) -> dict[str, Any]:
    """Show a box's publish state as sockets are told it."""
    return {
        "type": "publish_state",
        "box_id": str(facts.id),
        "is_published": facts.is_published,
        "version": facts.publish_version,
        "reason": facts.publish_reason,
        "changed_at": facts.publish_changed_at.isoformat(),
        "viewer_count": viewers,
    }


def command_of(facts: BoxFacts) -> dict[str, Any]:
    """Show a box's publish state as its publisher is told it."""
    return {
        "type": "publish",
        "box_id": str(facts.id),
        "is_published": facts.is_published,
        "version": facts.publish_version,
        "reason": facts.publish_reason,
        "media_path": facts.media_path,
    }
