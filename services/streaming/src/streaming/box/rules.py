"""What a box allows, and whether its camera should run. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from hazina.problems import Kind, Problem
from streaming.profile.rules import UNLIMITED, LimitReached

STATE_BY_ACK = {"publishing": "publishing", "stopped": "ready", "failed": "absent"}


class BoxUnknown(Problem, code="box.unknown", kind=Kind.UNKNOWN):
    """There is no such box."""


class BoxNotYours(Problem, code="box.not_yours", kind=Kind.FORBIDDEN):
    """Only the host and the box's streamer may do this."""


class BoxClosed(Problem, code="box.closed", kind=Kind.CONFLICT):
    """The box is closed."""


class StreamEnded(Problem, code="stream.ended", kind=Kind.CONFLICT):
    """The stream has ended."""


class StreamUnknown(Problem, code="stream.unknown", kind=Kind.UNKNOWN):
    """There is no such stream."""


class StreamNotYours(Problem, code="stream.not_yours", kind=Kind.FORBIDDEN):
    """Only the host may do this."""


class VersionUnknown(Problem, code="box.version_unknown", kind=Kind.CONFLICT):
    """The box has not come to that version."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the publish decision asks about a box."""

    why_not: str | None  # why its camera may not run at all; None: demand decides
    published: bool
    reason: str | None  # of the last change


class Verdict(Enum):
    """What is to happen with a box's camera."""

    STAY = auto()
    ON = auto()
    OFF = auto()
    LINGER = auto()  # it has just lost its last viewer; note when
    RETURN = auto()  # somebody came back within the linger; forget when


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its reason, where it changes what is published."""

    verdict: Verdict
    reason: str = ""


STAY = Decision(Verdict.STAY)


def decide(
    box: Standing, *, sessions: int, vacant_for_s: float | None, linger_s: float, held: bool
) -> Decision:
    """Decide whether the box's camera runs.

    On at once with the first viewer; off once nobody has watched for `linger_s`, unless `held`
    (we cannot be sure that nobody does); off at once when it may not run.
    """
    if box.why_not is not None:
        return Decision(Verdict.OFF, box.why_not) if box.published else STAY
    if sessions > 0:
        if not box.published:
            return Decision(Verdict.ON, "resumed" if box.reason == "paused" else "first_viewer")
        return STAY if vacant_for_s is None else Decision(Verdict.RETURN)
    if box.published and vacant_for_s is None:
        return Decision(Verdict.LINGER)
    if box.published and vacant_for_s is not None and vacant_for_s >= linger_s and not held:
        return Decision(Verdict.OFF, "no_viewers")
    return STAY


@dataclass(frozen=True, slots=True)
class Switch:
    """A box whose publish state is to change."""

    box_id: UUID
    cell: int
    is_published: bool
    reason: str
    viewers: int


@dataclass(frozen=True, slots=True)
class Switched:
    """A box whose publish state has changed, as it stands now."""

    box_id: UUID
    stream_id: UUID
    org_id: UUID
    streamer_id: UUID
    media_path: str
    is_published: bool
    version: int
    reason: str
    viewers: int
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Box:
    """A box as it stands inside one transaction."""

    id: UUID
    stream_id: UUID
    host_id: UUID
    streamer_id: UUID
    cell: int
    status: str
    stream_status: str
    publish_policy: str
    is_published: bool
    publish_version: int
    acked_version: int
    viewer_count: int


def allow_change(box: Box, caller: UUID) -> None:
    """Let the host or the streamer change an open box, or refuse in this order."""
    if caller not in {box.host_id, box.streamer_id}:
        raise BoxNotYours
    if box.status != "open":
        raise BoxClosed


def allow_reading_log(box: Box, caller: UUID) -> None:
    """Let the host and the streamer read why the box was switched."""
    if caller not in {box.host_id, box.streamer_id}:
        raise BoxNotYours


def acknowledge(box: Box, caller: UUID, version: int) -> bool:
    """Take the streamer's word that they obey `version`; tell whether that is the newest."""
    if caller != box.streamer_id:
        raise BoxNotYours
    if version > box.publish_version:
        raise VersionUnknown(version=box.publish_version)
    return version == box.publish_version


@dataclass(frozen=True, slots=True)
class StreamFrame:
    """What adding a box asks about its stream."""

    id: UUID
    host_id: UUID
    org_id: UUID
    status: str
    boxes_max: int


def slot_for(stream: StreamFrame, caller: UUID, taken: Collection[int]) -> int:
    """Give the lowest free slot, or refuse in this order."""
    if caller != stream.host_id:
        raise StreamNotYours
    if stream.status == "ended":
        raise StreamEnded
    if stream.boxes_max != UNLIMITED and len(taken) >= stream.boxes_max:
        raise LimitReached(key="max_boxes_per_stream", limit=stream.boxes_max, used=len(taken))
    return next(slot for slot in range(len(taken) + 1) if slot not in taken)
