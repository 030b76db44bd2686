"""The note's SQL. Reads and writes; decides nothing."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, insert, select, text, update

from hazina.pg import Transaction
from hazina.standard.sample.note.rules import Note, NoteUnknown
from hazina.standard.sample.tables import note


async def count_notes(tx: Transaction, user_id: UUID) -> int:
    """Tell how many notes somebody has, alone until the transaction ends."""
    await tx.execute(text("select pg_advisory_xact_lock(hashtext(:who))"), {"who": str(user_id)})
    found = await tx.execute(select(func.count()).where(note.c.user_id == user_id))
    return found.scalar_one()


async def lock_note(tx: Transaction, id: UUID) -> Note:
    """Read a note and hold it until the transaction ends."""
    row = (await tx.execute(select(note).where(note.c.id == id).with_for_update())).one_or_none()
    if row is None:
        raise NoteUnknown
    return Note(*row)


async def read_note(tx: Transaction, id: UUID) -> Note:
    """Read a note."""
    row = (await tx.execute(select(note).where(note.c.id == id))).one_or_none()
    if row is None:
        raise NoteUnknown
    return Note(*row)


async def list_notes(tx: Transaction, after: UUID | None, limit: int) -> Sequence[Note]:
    """List the caller's notes, oldest first, beginning behind `after`."""
    wanted = select(note).order_by(note.c.id).limit(limit)
    if after is not None:
        wanted = wanted.where(note.c.id > after)
    return [Note(*row) for row in await tx.execute(wanted)]


async def add_note(tx: Transaction, made: Note) -> None:
    """Write a new note down."""
    await tx.execute(
        insert(note).values(
            id=made.id,
            user_id=made.user_id,
            text=made.text,
            version=made.version,
            written_at=made.written_at,
        )
    )


async def set_text(tx: Transaction, changed: Note) -> None:
    """Change what a note says."""
    await tx.execute(
        update(note)
        .where(note.c.id == changed.id)
        .values(text=changed.text, version=changed.version)
    )
