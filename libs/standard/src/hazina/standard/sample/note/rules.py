"""What a note allows. Pure: no clock, no database, no chance."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hazina.problems import Kind, Problem


class NoteUnknown(Problem, code="note.unknown", kind=Kind.UNKNOWN):
    """There is no such note, or it is not yours."""


class TooManyNotes(Problem, code="note.too_many", kind=Kind.SPENT):
    """You have as many notes as you may have."""


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it stands inside one transaction."""

    id: UUID
    user_id: UUID
    text: str
    version: int
    written_at: datetime


def require_room(held: int, most: int) -> None:
    """Refuse one note more than `most`."""
    if held >= most:
        raise TooManyNotes(most=most, retry_after_s=3600)
