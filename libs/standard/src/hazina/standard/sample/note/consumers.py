"""What notes make of what was said: here, of what they said themselves."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from hazina.outbox import ConsumedEvent, Received
from hazina.pg import Transaction
from hazina.standard.sample.tables import note_count


class NoteWritten(ConsumedEvent, type="sample.note.written.v1"):
    """Somebody wrote a note; we count whose."""

    user_id: UUID


async def count_notes(tx: Transaction, facts: Sequence[Received[NoteWritten]]) -> None:
    """Count each note for the person who wrote it."""
    for fact in facts:
        one = insert(note_count).values(user_id=fact.event.user_id, written=1)
        await tx.execute(
            one.on_conflict_do_update(
                index_elements=["user_id"], set_={"written": note_count.c.written + 1}
            )
        )
