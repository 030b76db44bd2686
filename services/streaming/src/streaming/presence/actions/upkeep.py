"""What the owner of cells does all the time: one writer, the wheel, leases, the mirror."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from uuid import UUID

from prometheus_client import Counter, Gauge

from hazina import outbox
from hazina.pg import SERVICE, Transaction
from hazina.problems import Problem, Unavailable
from streaming.box import actions as boxes
from streaming.box.rules import Switched
from streaming.cell.rules import RENEW_S, LeaseLost
from streaming.presence import store
from streaming.presence.actions.leaving import departed, told_of
from streaming.presence.actions.presence import Presence
from streaming.presence.rules import Plan, Session, State

logger = logging.getLogger("streaming.presence")

FLUSH_S = 0.1  # how late the mirror may be; a change of a publish state does not wait for it
SWEEP_S = 1.0
COUNT_S = 2.0
REMIND_S = 2.0  # how often a publisher is told that has not acknowledged
TOUCH_S = 10.0
RECONCILE_S = 10.0
CLEANUP_S = 30.0
ROWS_MAX = 1000  # of one statement
MIRROR_LAG_S = 10.0  # what the functions must forgive: touches are that old at most
TROUBLE_WAIT_S = 0.5

SESSIONS = Gauge("presence_sessions", "Viewings that this process keeps.", ["state"])
EXPIRED = Counter("presence_expired", "Viewings that ended in silence.", ["reason"])
SWITCHES = Counter("publish_transitions", "Changes of a publish state.", ["to", "reason"])
FALSE_STATES = Counter(
    "publish_reconciled", "Publish states that the database's function had to put right."
)
CELLS = Gauge("presence_cells", "Cells that this process owns.", ["state"])


class Upkeep:
    """The loops of one process. Trouble is waited out: nothing is given up, nothing goes off."""

    def __init__(self, presence: Presence) -> None:
        """Take whose upkeep it is."""
        self.presence = presence
        self.audience = presence.audience
        self.cells = presence.cells
        self.owning = asyncio.Event()
        self._writing = asyncio.Lock()  # one writer: who judges the mirror sees it whole

    async def run(self) -> None:
        """Do it all until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for work, every_s in (
                (self.lease, RENEW_S),
                (self.sweep, SWEEP_S),
                (self.count, COUNT_S),
                (self.remind, REMIND_S),
                (self.touch, TOUCH_S),
                (self.reconcile, RECONCILE_S),
                (self.clean, CLEANUP_S),
            ):
                tasks.create_task(self._every(every_s, work), name=work.__name__)
            tasks.create_task(self._settle_forever(), name="settle")

    # --- the one writer --------------------------------------------------------------------

    async def settle(self) -> int:
        """Write what has come together since the last time, in one transaction; give how much."""
        async with self._writing:
            return await self._settle()

    async def _settle(self) -> int:
        presence, audience = self.presence, self.audience
        await self._learn()
        plan = audience.plan(presence.monotonic())
        waiting = presence.take_round()
        try:
            switched = [] if plan.empty else await self._write(plan)
        except BaseException as trouble:
            audience.restore(plan)
            if isinstance(trouble, LeaseLost):
                self._step_down(trouble.cells)
            _answer(waiting, trouble)
            raise
        audience.settled(plan, switched, presence.monotonic())
        _answer(waiting, None)
        self._told(plan, switched)
        return len(plan.arrivals) + len(plan.departures) + len(switched)

    async def _learn(self) -> None:
        """Read boxes that somebody changed, and end the viewings of those that are over."""
        changed = self.cells.take_changed()
        if not changed:
            return
        presence = self.presence
        try:
            async with presence.db.reading(SERVICE) as tx:
                found = await store.read_boxes(tx, changed)
        except BaseException:
            self.cells.tell(changed)
            raise
        for facts in found:
            known = facts.id in self.audience.boxes
            gone = self.audience.learn(facts, presence.monotonic(), presence.clock())
            presence.tell_gone(gone)
            if known or facts.publish_reason is not None:
                watched = self.audience.boxes.get(facts.id)
                presence.tell_state(facts, len(watched.viewers) if watched else 0)

    async def _write(self, plan: Plan) -> list[Switched]:
        at, now = self.presence.clock(), self.presence.monotonic()
        arrivals = sorted((s for s in plan.arrivals.values() if s.row >= 0), key=_id)
        async with self.presence.db.transaction(SERVICE) as tx:
            # Streams are locked before boxes, as whoever ends a stream does.
            if plan.departures:
                await self._count_out(tx, plan)
            for some in _batches(arrivals):
                await store.add_viewings(tx, self.cells.replica, some, self._ages(some, now))
            await boxes.note_vacancies_in(tx, plan.vacancies, at)
            return await boxes.switch_in(tx, self.cells, plan.switches, at)

    async def _count_out(self, tx: Transaction, plan: Plan) -> None:
        """Delete ended viewings, add what they watched, and tell: each that was there, once."""
        gone = sorted(plan.departures, key=lambda one: one.session.id)
        # One that came and went between two flushes was never in the mirror and yet was there.
        unseen = {one.session.id for one in gone if one.session.id in plan.arrivals}
        there = await store.remove_viewings(tx, [one.session.id for one in gone]) | unseen
        counted = [one for one in gone if one.session.id in there]
        await store.add_watched(tx, counted)
        await outbox.publish(tx, *told_of(counted))

    def _told(self, plan: Plan, switched: list[Switched]) -> None:
        """Tell sockets what was committed; what the database refused is read again."""
        done = {change.box_id for change in switched}
        self.cells.tell({switch.box_id for switch in plan.switches} - done)
        for change in switched:
            watched = self.audience.boxes.get(change.box_id)
            if watched is not None:
                self.presence.tell_state(watched.facts, len(watched.viewers))
            else:
                self.cells.tell([change.box_id])
            SWITCHES.labels("on" if change.is_published else "off", change.reason).inc()

    # --- regular work ----------------------------------------------------------------------

    async def lease(self) -> None:
        """Renew the leases; load what is new to us; write the mirror again if it was emptied."""
        presence = self.presence
        before = set(self.cells.held)
        fresh = await self.cells.renew(presence.db, ready=self.audience.ready(presence.monotonic()))
        lost = before - self.cells.held.keys()
        if lost:
            self._step_down(lost)
        async with presence.db.transaction(SERVICE) as tx:
            emptied = await store.place_marker(tx)
        if fresh:
            await self._load(fresh)
        elif emptied:
            self.audience.write_again()
            self.audience.take_over(self.cells.held, presence.monotonic())
        self.owning.set()

    async def _load(self, cells: set[int]) -> None:
        presence, audience = self.presence, self.audience
        async with presence.db.reading(SERVICE) as tx:
            found = await store.list_running(tx, cells)
            viewings = await store.list_viewings(tx, cells)
        now, at = presence.monotonic(), presence.clock()
        for facts in found:
            audience.learn(facts, now, at)
        for one in viewings:
            watched = audience.boxes.get(one.box_id)
            if watched is None or audience.knows(one.session_id):
                continue
            session = Session(one.session_id, watched, one.viewer_id, one.sid, one.joined_at, -1)
            session.generation = one.generation
            audience.load(session, now)
        audience.take_over(cells, now)
        logger.info("took over", extra={"cells": len(cells), "viewings": len(viewings)})

    async def sweep(self) -> None:
        """End the viewings that fell silent."""
        presence = self.presence
        gone = self.audience.sweep(presence.monotonic(), presence.clock())
        presence.tell_gone(gone)
        for session in gone:
            EXPIRED.labels("closed" if session.state is State.CLOSING else "timeout").inc()

    async def count(self) -> None:
        """Write and tell how many watch, where that changed."""
        presence, audience = self.presence, self.audience
        recounted, audience.recounted = audience.recounted, set()
        streams = {id: audience.viewers_in(id) for id in {box.facts.stream_id for box in recounted}}
        if not recounted:
            return
        try:
            async with presence.db.transaction(SERVICE) as tx:
                await store.set_counts(tx, recounted, streams)
        except BaseException:
            audience.recounted |= recounted
            raise
        for id, viewers in streams.items():
            presence.hub.publish(f"stream:{id}", {"type": "stats", "viewer_count": viewers})
        by_state = [session.state for session in audience.sessions.values()]
        for state in State:
            SESSIONS.labels(state).set(by_state.count(state))
        warm = len(audience.ready(presence.monotonic()))
        CELLS.labels("ready").set(warm)
        CELLS.labels("warming").set(len(audience.holds) - warm)

    async def remind(self) -> None:
        """Tell publishers again what they have not acknowledged."""
        listening = [
            box for box in self.audience.boxes.values() if self.presence.hub.heard(f"ctl:{box.id}")
        ]
        if not listening:
            return
        async with self.presence.db.reading(SERVICE) as tx:
            found = await store.read_boxes(tx, [box.id for box in listening])
        for facts in found:
            if facts.acked_version < facts.publish_version:
                self.presence.remind(facts)

    async def touch(self) -> None:
        """Bring the mirror's heartbeats up to date."""
        now = self.presence.monotonic()
        sessions = sorted((s for s in self.audience.sessions.values() if not s.unheard), key=_id)
        for some in _batches(sessions):
            async with self.presence.db.transaction(SERVICE) as tx:
                await store.touch_viewings(tx, some, self._ages(some, now))

    async def reconcile(self) -> None:
        """Have the database's own function check every publish state; it should find nothing."""
        presence, audience = self.presence, self.audience
        now = presence.monotonic()
        cells = list(self.cells.held)
        holding = [cell for cell in cells if audience.held(cell, now)]
        for some, on_only in ((holding, True), (sorted(set(cells) - set(holding)), False)):
            if some:
                async with self._writing:
                    await self._reconcile(some, on_only=on_only)

    async def _reconcile(self, cells: list[int], *, on_only: bool) -> None:
        presence = self.presence
        # What memory still is about to write is not what the function should judge.
        busy = self.audience.undecided()
        async with presence.db.transaction(SERVICE) as tx:
            await self.cells.hold_in(tx, cells)
            ids = [id for id in await store.list_open(tx, cells) if id not in busy]
            timeout_s = presence.pace.stale_after_s + MIRROR_LAG_S
            changed = await store.reconcile(
                tx, ids, timeout_s=timeout_s, linger_s=presence.pace.linger_s, on_only=on_only
            )
            await boxes.tell_in(tx, changed)
        for change in changed:
            FALSE_STATES.inc()
            SWITCHES.labels("on" if change.is_published else "off", change.reason).inc()
            logger.warning("reconciled", extra={"box_id": str(change.box_id)})
        self.cells.tell(change.box_id for change in changed)

    async def clean(self) -> None:
        """Delete viewings in the mirror that nobody keeps up, and count what they watched."""
        presence = self.presence
        await self.touch()
        ready = set(self.audience.ready(presence.monotonic()))
        if not ready:
            return
        timeout_s = presence.pace.stale_after_s + MIRROR_LAG_S
        async with self._writing, presence.db.transaction(SERVICE) as tx:
            await self.cells.hold_in(tx, ready)
            orphans = await store.cleanup(tx, ready, timeout_s)
            ours = [o for o in orphans if o.session_id in self.audience.sessions]
            found = {f.id: f for f in await store.read_boxes(tx, {o.box_id for o in orphans})}
            counted = [
                departed(orphan, found[orphan.box_id])
                for orphan in orphans
                if orphan not in ours and orphan.box_id in found
            ]
            await store.add_watched(tx, counted)
            await outbox.publish(tx, *told_of(counted))
        if ours:
            self.audience.write_again()

    async def stop(self) -> None:
        """Write what is left and give the cells back, so that another takes them at once."""
        with suppress(Problem):
            await self.settle()
            await self.touch()
            await self.cells.release(self.presence.db)

    # --- inside ----------------------------------------------------------------------------

    async def _settle_forever(self) -> None:
        await self.owning.wait()
        stirred = self.cells.stirred
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await stirred.wait()
            stirred.clear()
            await asyncio.sleep(0)  # however often it is stirred, others have their turn
            if not await self._attempt("settle", self.settle):
                await asyncio.sleep(TROUBLE_WAIT_S)

    async def _every(self, every_s: float, work: Callable[[], Awaitable[object]]) -> None:
        if work.__name__ != "lease":
            await self.owning.wait()
        while True:
            if await self._attempt(work.__name__, work):
                await asyncio.sleep(every_s)
            else:
                await asyncio.sleep(min(every_s, TROUBLE_WAIT_S))

    async def _attempt(self, name: str, work: Callable[[], Awaitable[object]]) -> bool:
        try:
            await work()
        except Unavailable as trouble:
            logger.warning("presence waits", extra={"work": name, "for": trouble.detail})
            return False
        except Exception:
            logger.exception("presence work failed", extra={"work": name})
            return False
        return True

    def _step_down(self, cells: Iterable[int]) -> None:
        lost = frozenset(cells)
        logger.warning("cells lost", extra={"cells": sorted(lost)})
        self.cells.step_down(lost)
        self.audience.forget(lost)

    def _ages(self, sessions: Iterable[Session], now: float) -> list[float]:
        return [self.audience.wheel.silent_for(session.row, now) for session in sessions]


def _batches(sessions: list[Session]) -> list[list[Session]]:
    return [sessions[at : at + ROWS_MAX] for at in range(0, len(sessions), ROWS_MAX)]


def _id(session: Session) -> UUID:
    return session.id


def _answer(waiting: "asyncio.Future[None] | None", trouble: BaseException | None) -> None:
    if waiting is None or waiting.done():
        return
    if trouble is None:
        waiting.set_result(None)
    elif isinstance(trouble, Exception):
        waiting.set_exception(trouble)
        waiting.exception()  # whoever waits reads it; nobody need
    else:
        waiting.cancel()
