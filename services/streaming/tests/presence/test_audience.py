"""The audience and the publish decision together, on a clock of their own."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hazina import ids
from streaming.box.rules import Switched
from streaming.presence.rules import Audience, BoxFacts, Pace, Session, State

PACE = Pace(warming_s=45, warming_max_s=180)
BEGAN = datetime(2026, 11, 21, tzinfo=UTC)
PEOPLE = [ids.new() for _ in range(3)]
SILENT_DEATH_MAX_S = PACE.stale_after_s + PACE.linger_s + 2.3  # two sweeps and a flush


def box_facts() -> BoxFacts:
    return BoxFacts(
        id=ids.new(),
        stream_id=ids.new(),
        org_id=ids.new(),
        host_id=ids.new(),
        streamer_id=ids.new(),
        cell=7,
        media_path="box_x",
        stream_status="live",
        status="open",
        publish_policy="demand",
        is_published=False,
        publish_version=0,
        publish_reason=None,
        publish_changed_at=BEGAN,
        acked_version=0,
        publisher_state="absent",
        vacant_for_s=None,
        revision=2,
    )


class Watching(RuleBasedStateMachine):
    """Joins, beats, silence, stalls, failed writes and takeovers, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.row = box_facts()  # the box as the database has it
        self.mirror: dict[UUID, Session] = {}
        self.versions: list[int] = []
        self.counted: set[UUID] = set()
        self.heard: dict[UUID, float] = {}  # by session: when its viewer last spoke
        self.away = False  # the database does not answer
        self.audience = Audience(PACE, self.now)
        self.audience.take_over([self.row.cell], self.now)
        self.now += PACE.warming_s
        self.audience.sweep(self.now, self.at)

    @property
    def at(self) -> datetime:
        return BEGAN + timedelta(seconds=self.now)

    def settle(self) -> None:
        held = self.audience.held(self.row.cell, self.now)
        plan = self.audience.plan(self.now)
        if self.away:
            self.audience.restore(plan)
            return
        self.mirror |= {id: one for id, one in plan.arrivals.items() if one.row >= 0}
        for gone in plan.departures:
            assert gone.session.id not in self.counted, "a viewing is counted once"
            self.counted.add(gone.session.id)
            assert 0 <= gone.watched_s <= self.now
            self.mirror.pop(gone.session.id, None)
        switched = []
        for switch in plan.switches:
            assert switch.is_published is not self.row.is_published, "only differences are written"
            assert switch.reason != "no_viewers" or not held, "nobody is believed gone too soon"
            if switch.is_published and self.row.standing.why_not is not None:
                continue  # the database would not have it
            version = self.row.publish_version + 1
            self.versions.append(version)
            made = Switched(
                self.row.id,
                self.row.stream_id,
                self.row.org_id,
                self.row.streamer_id,
                self.row.media_path,
                switch.is_published,
                version,
                switch.reason,
                switch.viewers,
                self.at,
            )
            self.row = self.row.switched(made)
            switched.append(made)
        self.audience.settled(plan, switched, self.now)

    def sessions(self) -> list[Session]:
        return list(self.audience.sessions.values())

    # --- what happens ----------------------------------------------------------------------

    @rule(person=st.sampled_from(PEOPLE), sid=st.sampled_from(["a", "b"]))
    def joins(self, person: UUID, sid: str) -> None:
        before = len(self.sessions())
        found = self.audience.find_resumable(self.row.id, person, sid)
        if found is not None:
            generation = found.generation
            self.audience.resume(found, self.now)
            assert (found.generation, found.state) == (generation + 1, State.LIVE)
            assert len(self.sessions()) == before, "a resume is no join"
        elif self.row.ended is None:
            self.audience.learn(self.row, self.now, self.at)
            box = self.audience.boxes[self.row.id]
            found = self.audience.join(ids.new(), box, person, sid, now=self.now, at=self.at)
        if found is not None:
            self.heard[found.id] = self.now
        self.settle()

    @precondition(lambda self: self.sessions())
    @rule(data=st.data(), how=st.sampled_from(["leave", "closing", "suspect", "beat"]))
    def somebody(self, data: Any, how: str) -> None:
        session = data.draw(st.sampled_from(sorted(self.sessions(), key=lambda s: s.id)))
        match how:
            case "leave":
                self.audience.end(session, "left", self.now, self.at)
                self.audience.end(session, "left", self.now, self.at)  # which changes nothing
            case "closing":
                self.audience.closing(session, self.now)
            case "suspect":
                self.audience.suspect(session)
            case "beat":
                self.audience.hear(session, self.now)
                self.heard[session.id] = self.now
        self.settle()

    @rule(seconds=st.integers(1, 50), speaks=st.booleans())
    def time_passes(self, seconds: int, speaks: bool) -> None:
        for _ in range(seconds):
            self.now += 1.0
            if speaks:
                for session in self.sessions():
                    if session.state is State.LIVE:
                        self.audience.hear(session, self.now)
                        self.heard[session.id] = self.now
            self.audience.sweep(self.now, self.at)
            self.settle()

    @rule(seconds=st.integers(3, 300))
    def we_stall(self, seconds: int) -> None:
        before = {session.id for session in self.sessions()}
        self.now += seconds
        self.audience.sweep(self.now, self.at)
        self.settle()
        # What was due in the very second of the stall may end; nobody else may.
        due = {id for id in before if self.audience.sessions.get(id) is None}
        assert all(self.now - self.heard[id] >= seconds for id in due)

    @rule()
    def the_database_goes_away_or_returns(self) -> None:
        self.away = not self.away
        self.settle()

    @precondition(lambda self: not self.away)
    @rule()
    def another_process_takes_over(self) -> None:
        self.settle()
        fresh = Audience(PACE, self.now)
        fresh.learn(replace(self.row, vacant_for_s=None), self.now, self.at)
        for known in self.mirror.values():
            box = fresh.boxes.get(known.box.id)
            if box is not None:
                loaded = Session(known.id, box, known.viewer_id, known.sid, known.joined_at, -1)
                fresh.load(loaded, self.now)
                self.heard[known.id] = self.now
        fresh.take_over([self.row.cell], self.now)
        self.audience = fresh
        self.mirror = dict(fresh.sessions)
        self.settle()

    @rule(policy=st.sampled_from(["demand", "paused"]))
    def the_host_changes_the_policy(self, policy: str) -> None:
        # The row may be ahead of memory, never behind it.
        self.row = replace(self.row, publish_policy=policy, revision=self.row.revision + 1)
        self.audience.learn(self.row, self.now, self.at)
        self.settle()

    # --- what always holds -----------------------------------------------------------------

    @invariant()
    def versions_have_no_gap(self) -> None:
        assert self.versions == list(range(1, len(self.versions) + 1))

    @invariant()
    def a_viewer_is_served(self) -> None:
        if self.sessions() and self.row.publish_policy == "demand" and not self.away:
            assert self.row.is_published

    @invariant()
    def nothing_runs_for_nobody(self) -> None:
        if not self.row.is_published or self.away:
            return
        if self.sessions() or self.audience.held(self.row.cell, self.now):
            return
        box = self.audience.boxes[self.row.id]
        assert box.vacant_at is not None, "a published box without viewers lingers"
        assert self.now - box.vacant_at <= PACE.linger_s + 1

    @invariant()
    def the_mirror_agrees_with_memory(self) -> None:
        if not self.away:
            assert self.mirror.keys() == self.audience.sessions.keys()

    @invariant()
    def counts_are_those_of_the_set(self) -> None:
        box = self.audience.boxes.get(self.row.id)
        if box is not None:
            there = [session.viewer_id for session in box.sessions.values()]
            assert {id: there.count(id) for id in there} == box.viewers

    @invariant()
    def nobody_is_kept_who_fell_silent(self) -> None:
        for session in self.sessions():
            silent = self.audience.wheel.silent_for(session.row, self.now)
            assert silent <= PACE.stale_after_s + 1.001

    @initialize()
    def begins_unpublished(self) -> None:
        assert not self.row.is_published


TestWatching = Watching.TestCase
TestWatching.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class TestSilentDeath:
    def test_is_over_in_forty_to_forty_two_seconds(self) -> None:
        machine = Watching()
        machine.joins(PEOPLE[0], "a")
        assert machine.row.is_published

        died, gone_at, off_at = machine.now, None, None
        while off_at is None:
            machine.now += 0.1
            if round(machine.now * 10) % 10 == 0:
                machine.audience.sweep(machine.now, machine.at)
            machine.settle()
            if gone_at is None and not machine.sessions():
                gone_at = machine.now - died
            if not machine.row.is_published:
                off_at = machine.now - died

        assert gone_at is not None
        assert 30 <= gone_at <= 31.2
        assert 40 <= off_at <= 41.4

    def test_of_many_at_once_is_doubted(self) -> None:
        audience = Audience(Pace(warming_s=0, warming_max_s=0), 0.0)
        facts = box_facts()
        audience.take_over([facts.cell], 0.0)
        audience.learn(facts, 0.0, BEGAN)
        box = audience.boxes[facts.id]
        for n in range(60):
            audience.join(ids.new(), box, ids.new(), str(n), now=0.0, at=BEGAN)

        ends: dict[int, int] = {}
        for second in range(1, 120):
            for _ in audience.sweep(float(second), BEGAN + timedelta(seconds=second)):
                ends[second] = ends.get(second, 0) + 1
            assert audience.held(facts.cell, float(second)) is (30 <= second < 90)

        assert ends == {90: 60}, "held for a minute, then believed"
