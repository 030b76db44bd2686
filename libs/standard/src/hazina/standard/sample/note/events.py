"""What notes tell others."""

from uuid import UUID

from hazina.outbox import Event


class NoteWritten(Event, type="sample.note.written", version=1, key="user_id"):
    """Somebody wrote a note."""

    id: UUID
    user_id: UUID
