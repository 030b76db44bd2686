"""Everybody who watches a box of our cells, and what must be done about it. Pure.

`now` is always monotonic seconds; `at` the time of day that belongs to it.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from streaming.box.rules import Decision, Switch, Switched, Verdict, decide
from streaming.presence.rules.viewing import BoxFacts, Pace, Session, State, Watched
from streaming.presence.rules.wheel import Wheel

BREAKER_WINDOW_S = 10.0
BREAKER_COUNT = 50  # viewings of one cell that fall silent together are our trouble, not theirs,
BREAKER_SHARE = 0.15  # when they are also this part of the cell
BREAKER_HOLD_S = 60.0
HEARD_ENOUGH = 0.85  # of the loaded viewings, to stop warming before its longest time


@dataclass(frozen=True, slots=True)
class Departure:
    """A viewing that is over and not yet counted."""

    session: Session
    left_at: datetime
    reason: str

    @property
    def watched_s(self) -> int:
        """Whole seconds from the join to the leave, or to the last heartbeat."""
        return max(0, int((self.left_at - self.session.joined_at).total_seconds()))


@dataclass(slots=True)
class Plan:
    """What one transaction is to write; taken from the audience and put back if it fails."""

    arrivals: dict[UUID, Session] = field(default_factory=dict)
    departures: list[Departure] = field(default_factory=list)
    switches: list[Switch] = field(default_factory=list)
    vacancies: dict[UUID, bool] = field(default_factory=dict)  # by box: empty now, or not any more
    looked_at: set[Watched] = field(default_factory=set)

    @property
    def empty(self) -> bool:
        return not (self.arrivals or self.departures or self.switches or self.vacancies)


@dataclass(slots=True)
class Hold:
    """Why nobody of a cell may be believed to have left yet."""

    began: float
    loaded: int
    heard: int = 0
    breaker_until: float = 0.0
    expiries: deque[float] = field(default_factory=deque)

    def warming(self, now: float, pace: Pace) -> bool:
        """Tell whether too little was heard since the cell became ours."""
        age = now - self.began
        if age < pace.warming_s:
            return True
        return self.heard < HEARD_ENOUGH * self.loaded and age < pace.warming_max_s


class Audience:
    """The set in the process; box_viewers only mirrors it."""

    def __init__(self, pace: Pace, now: float) -> None:
        """Start with nobody, owning no cell."""
        self.pace = pace
        self.wheel = Wheel(now, pace.stale_after_s)
        self.boxes: dict[UUID, Watched] = {}
        self.sessions: dict[UUID, Session] = {}
        self.holds: dict[int, Hold] = {}
        self._rows: dict[int, Session] = {}
        self._arrivals: dict[UUID, Session] = {}
        self._departures: list[Departure] = []
        self._dirty: set[Watched] = set()
        self._lingering: set[Watched] = set()
        self.recounted: set[Watched] = set()  # whose numbers somebody should be told

    # --- cells -----------------------------------------------------------------------------

    def take_over(self, cells: Iterable[int], now: float) -> None:
        """Begin to decide about cells, believing nobody to be gone for a while."""
        fresh = {cell: Hold(now, 0) for cell in cells}
        for session in self.sessions.values():
            hold = fresh.get(session.box.facts.cell)
            if hold is not None:
                hold.loaded += 1
                session.unheard = True
        self.holds |= fresh

    def forget(self, cells: Iterable[int]) -> list[Session]:
        """Stop knowing about cells that are another's now; give the viewings in them."""
        lost = set(cells)
        gone = [session for session in self.sessions.values() if session.box.facts.cell in lost]
        for session in gone:
            self._remove(session)
            self._arrivals.pop(session.id, None)
        for box in [box for box in self.boxes.values() if box.facts.cell in lost]:
            del self.boxes[box.id]
            self._dirty.discard(box)
            self._lingering.discard(box)
            self.recounted.discard(box)
        self._departures = [d for d in self._departures if d.session.box.facts.cell not in lost]
        for cell in lost:
            self.holds.pop(cell, None)
        return gone

    def ready(self, now: float) -> list[int]:
        """Give the cells that are not warming."""
        return [cell for cell, hold in self.holds.items() if not hold.warming(now, self.pace)]

    def held(self, cell: int, now: float) -> bool:
        """Tell whether a box of the cell may not go off for want of viewers."""
        hold = self.holds.get(cell)
        return hold is None or hold.warming(now, self.pace) or now < hold.breaker_until

    # --- boxes -----------------------------------------------------------------------------

    def learn(self, facts: BoxFacts, now: float, at: datetime) -> list[Session]:
        """Take in how a box stands in the database; give the viewings that this ends."""
        box = self.boxes.get(facts.id)
        if box is None:
            if facts.ended and not facts.is_published:
                return []
            box = self.boxes[facts.id] = Watched(facts)
            if facts.vacant_for_s is not None:
                box.vacant_at = now - facts.vacant_for_s
                self._lingering.add(box)
        elif facts.revision >= box.facts.revision:
            box.facts = facts
        self._dirty.add(box)
        if facts.ended is None:
            return []
        gone = list(box.sessions.values())
        for session in gone:
            self.end(session, facts.ended, now, at)
        return gone

    def load(self, session: Session, now: float) -> None:
        """Take in a viewing from the mirror: suspect, with its whole patience before it."""
        session.row = self.wheel.add(now)
        session.state = State.SUSPECT
        session.unheard = True
        self._enter(session)
        self._arrivals.pop(session.id, None)

    # --- viewings --------------------------------------------------------------------------

    def find_resumable(self, box_id: UUID, viewer_id: UUID, sid: str) -> Session | None:
        """Find the viewing that a join with the same login takes up again."""
        box = self.boxes.get(box_id)
        if box is None or viewer_id not in box.viewers:
            return None
        for session in box.sessions.values():
            same = session.viewer_id == viewer_id and session.sid == sid
            if same and session.state is not State.LIVE:
                return session
        return None

    def resume(self, session: Session, now: float) -> None:
        """Take a viewing up again: nobody saw it leave."""
        self.hear(session, now)
        session.generation += 1
        session.state = State.LIVE
        self.wheel.unbind(session.row)
        self._arrivals[session.id] = session  # its row in the mirror is written again

    def join(
        self, id: UUID, box: Watched, viewer_id: UUID, sid: str, *, now: float, at: datetime
    ) -> Session:
        """Begin a viewing; `box` is watched from here on."""
        session = Session(id, box, viewer_id, sid, at, self.wheel.add(now))
        self._enter(session)
        self._arrivals[session.id] = session
        return session

    def hear(self, session: Session, heard_at: float) -> None:
        """Note a heartbeat; one from before the last changes nothing."""
        self.wheel.beat(session.row, heard_at)
        if session.unheard:
            session.unheard = False
            hold = self.holds.get(session.box.facts.cell)
            if hold is not None:
                hold.heard += 1

    def suspect(self, session: Session) -> None:
        """Doubt a viewing whose socket we closed or that did not answer."""
        if session.state is State.LIVE:
            session.state = State.SUSPECT

    def closing(self, session: Session, now: float) -> None:
        """Give a viewing whose peer closed the socket a few seconds to come back."""
        if session.state is State.LIVE:
            session.state = State.CLOSING
            self.wheel.bound(session.row, now + self.pace.closing_s)

    def end(self, session: Session, reason: str, now: float, at: datetime) -> None:
        """End a viewing. Silent ones ended when they were last heard, the others now."""
        if session.row < 0:
            return
        silent = self.wheel.silent_for(session.row, now) if reason in {"timeout", "closed"} else 0
        self._remove(session)
        self._departures.append(Departure(session, at - timedelta(seconds=silent), reason))

    def undo(self, session: Session) -> None:
        """Take back a join that could not be written: it never was."""
        if session.row >= 0:
            self._remove(session)
            self._arrivals.pop(session.id, None)

    def sweep(self, now: float, at: datetime) -> list[Session]:
        """End the viewings that were silent for too long; give them."""
        overdue = [self._rows[row] for row in self.wheel.sweep(now)]
        by_cell: dict[int, list[Session]] = {}
        for session in overdue:
            by_cell.setdefault(session.box.facts.cell, []).append(session)
        gone: list[Session] = []
        for cell, sessions in by_cell.items():
            if self._breaks(cell, len(sessions), now):
                for session in sessions:
                    self.wheel.defer(session.row, self.holds[cell].breaker_until)
                continue
            for session in sessions:
                reason = "closed" if session.state is State.CLOSING else "timeout"
                self.end(session, reason, now, at)
            gone += sessions
        return gone

    # --- deciding --------------------------------------------------------------------------

    def plan(self, now: float) -> Plan:
        """Take everything that should be written now."""
        for box in self._lingering:
            if box.vacant_at is not None and now - box.vacant_at >= self.pace.linger_s:
                self._dirty.add(box)
        made = Plan(self._arrivals, self._departures, looked_at=self._dirty)
        self._arrivals, self._departures, self._dirty = {}, [], set()
        for box in sorted(made.looked_at, key=lambda box: box.id):
            self._decide(box, made, now)
        return made

    def restore(self, plan: Plan) -> None:
        """Put back a plan that could not be written."""
        self._arrivals = {id: s for id, s in plan.arrivals.items() if s.row >= 0} | self._arrivals
        self._departures = plan.departures + self._departures
        self._dirty |= {box for box in plan.looked_at if box.id in self.boxes}

    def settled(self, plan: Plan, switched: Iterable[Switched], now: float) -> None:
        """Take in that `plan` is written, and what it changed."""
        for id, vacant in plan.vacancies.items():
            box = self.boxes.get(id)
            if box is not None:
                box.vacant_at = now if vacant else None
                (self._lingering.add if vacant else self._lingering.discard)(box)
        for change in switched:
            box = self.boxes.get(change.box_id)
            if box is not None:
                self._lingering.discard(box)
                box.vacant_at = None
                box.facts = box.facts.switched(change)
        for box in plan.looked_at:
            # Nobody there and nothing running: the database alone knows it from here.
            if not (box.sessions or box.facts.is_published) and self.boxes.get(box.id) is box:
                del self.boxes[box.id]
                self._dirty.discard(box)

    def viewers_of(self, org_id: UUID) -> int:
        """Count who watches the boxes of an organisation, once for each box."""
        return sum(len(b.viewers) for b in self.boxes.values() if b.facts.org_id == org_id)

    def viewers_in(self, stream_id: UUID) -> int:
        """Count the people who watch a stream, once each."""
        boxes = [box for box in self.boxes.values() if box.facts.stream_id == stream_id]
        return len(set().union(*(box.viewers.keys() for box in boxes)))

    def write_again(self) -> None:
        """Have every viewing written into the mirror anew."""
        self._arrivals |= self.sessions

    def knows(self, session_id: UUID) -> bool:
        """Tell whether a viewing goes on, or is over and only not counted yet."""
        ending = {one.session.id for one in self._departures}
        return session_id in self.sessions or session_id in ending

    def undecided(self) -> set[UUID]:
        """Give the boxes about which something is still to be written."""
        waiting = {box.id for box in self._dirty | self._lingering}
        waiting |= {session.box.id for session in self._arrivals.values()}
        return waiting | {one.session.box.id for one in self._departures}

    def sessions_of(self, viewer_id: UUID) -> Iterator[Session]:
        """Give every viewing of one person."""
        yield from [s for s in self.sessions.values() if s.viewer_id == viewer_id]

    def _decide(self, box: Watched, plan: Plan, now: float) -> None:
        decision: Decision = decide(
            box.facts.standing,
            sessions=len(box.sessions),
            vacant_for_s=None if box.vacant_at is None else now - box.vacant_at,
            linger_s=self.pace.linger_s,
            held=self.held(box.facts.cell, now),
        )
        match decision.verdict:
            case Verdict.ON | Verdict.OFF:
                plan.switches.append(
                    Switch(
                        box.id,
                        box.facts.cell,
                        decision.verdict is Verdict.ON,
                        decision.reason,
                        len(box.viewers),
                    )
                )
            case Verdict.LINGER:
                plan.vacancies[box.id] = True
            case Verdict.RETURN:
                plan.vacancies[box.id] = False
            case Verdict.STAY:
                pass

    def _breaks(self, cell: int, due: int, now: float) -> bool:
        """Tell whether so many fall silent at once that it must be our trouble."""
        hold = self.holds.get(cell)
        if hold is None:
            return False
        if now < hold.breaker_until:
            return True
        if hold.breaker_until and now < hold.breaker_until + BREAKER_WINDOW_S:
            return False  # held once already: by now they are gone
        while hold.expiries and hold.expiries[0] < now - BREAKER_WINDOW_S:
            hold.expiries.popleft()
        hold.expiries.extend([now] * due)
        fallen = len(hold.expiries)
        if fallen <= BREAKER_COUNT:
            return False
        here = sum(1 for session in self.sessions.values() if session.box.facts.cell == cell)
        if fallen > BREAKER_SHARE * (here + fallen - due):
            hold.breaker_until = now + BREAKER_HOLD_S
            return True
        return False

    def _enter(self, session: Session) -> None:
        box = session.box
        self.sessions[session.id] = session
        self._rows[session.row] = session
        box.sessions[session.id] = session
        box.viewers[session.viewer_id] = box.sessions_of(session.viewer_id) + 1
        self._dirty.add(box)
        self.recounted.add(box)

    def _remove(self, session: Session) -> None:
        box = session.box
        self.wheel.drop(session.row)
        del self._rows[session.row]
        session.row = -1
        del self.sessions[session.id]
        del box.sessions[session.id]
        left = box.viewers[session.viewer_id] - 1
        if left:
            box.viewers[session.viewer_id] = left
        else:
            del box.viewers[session.viewer_id]
        self._dirty.add(box)
        self.recounted.add(box)
