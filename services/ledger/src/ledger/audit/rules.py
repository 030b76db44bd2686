"""What a proof of the book finds, and what it says of the whole. Pure."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Law:
    """One thing that must hold; its SQL lists (account_id, facts) where it does not."""

    level: str
    says: str
    sql: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where the book contradicts itself."""

    level: str
    says: str
    account_id: UUID | None
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What one proof found."""

    id: UUID
    full: bool
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the book is right."""
        return not self.findings

    @property
    def level(self) -> str:
        """How far it looked: full, or since the last clean proof."""
        return "full" if self.full else "recent"


def to_freeze(report: Report) -> list[UUID]:
    """Name the accounts that nobody may touch until somebody has looked."""
    return sorted({one.account_id for one in report.findings if one.account_id is not None})
