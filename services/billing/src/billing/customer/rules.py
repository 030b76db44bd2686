"""Whose billing it is. Pure: no clock, no database, no chance."""

from dataclasses import dataclass
from uuid import UUID

from hazina.problems import Kind, Problem


class OrgUnknown(Problem, code="org.unknown", kind=Kind.UNKNOWN):
    """There is no such organisation, or not for you."""


@dataclass(frozen=True, slots=True)
class Customer:
    """An organisation as a payer, as far as identity told us; what it did not tell is None."""

    org_id: UUID
    name: str | None = None
    personal_user_id: UUID | None = None  # whose personal organisation it is


def require_own(asked: UUID, own: UUID | None, *, staff: bool) -> None:
    """Refuse an organisation that is not the caller's own; staff may look at any."""
    if asked != own and not staff:
        raise OrgUnknown(org_id=str(asked))
