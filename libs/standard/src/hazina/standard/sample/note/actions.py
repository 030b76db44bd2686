"""What can be done with a note. Every action reads, decides, writes, tells."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from hazina import idempotency, ids, outbox
from hazina.auth import Caller
from hazina.chassis import Match
from hazina.idempotency import Attempt
from hazina.pg import Database
from hazina.standard.sample.note import rules, store
from hazina.standard.sample.note.events import NoteWritten
from hazina.standard.sample.note.rules import Note


async def write_note(
    db: Database, caller: Caller, attempt: Attempt, text: str, *, now: datetime, most: int
) -> Note:
    """Write a note, once per attempt; raises TooManyNotes."""
    user_id = caller.require_user()
    async with db.transaction(caller.actor) as tx:
        if done := await idempotency.find(tx, attempt, Note):
            return done
        held = await store.count_notes(tx, user_id)

        rules.require_room(held, most)
        made = Note(ids.new(), user_id, text, 1, now)

        await store.add_note(tx, made)
        await idempotency.keep(tx, attempt, made)
        await outbox.publish(tx, NoteWritten.of(made))
    return made


async def change_note(
    db: Database, caller: Caller, id: UUID, text: str, *, if_match: Match
) -> Note:
    """Change what a note says; raises NoteUnknown, PreconditionFailed, in that order."""
    async with db.transaction(caller.actor) as tx:
        found = await store.lock_note(tx, id)

        if_match.require(found.version)
        changed = replace(found, text=text, version=found.version + 1)

        await store.set_text(tx, changed)
    return changed
