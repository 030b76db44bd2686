"""What a monitor is. Pure: no clock, no database, no chance."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from hazina.problems import Kind, Problem


class MonitorUnknown(Problem, code="monitor.unknown", kind=Kind.UNKNOWN):
    """There is no such monitor, or not for you."""


class Op(StrEnum):
    """Which way a balance must cross the line to be told."""

    ABOVE = "above"  # from under the threshold to it or over it
    BELOW = "below"  # from the threshold or over it to under it


@dataclass(frozen=True, slots=True)
class Monitor:
    """A line in minor units, and the account whose balance is watched."""

    id: UUID
    account_id: UUID
    op: Op
    threshold: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that was crossed, by the batch that crossed it."""

    id: UUID
    monitor: Monitor
    before: int
    after: int
