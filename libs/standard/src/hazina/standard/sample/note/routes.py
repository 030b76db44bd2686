"""Notes over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from hazina.auth import Signed
from hazina.chassis import Db, IfMatch, Now, Page, Paged, PreconditionFailed, Wire, etag, refuses
from hazina.idempotency import Keyed
from hazina.standard.sample.note import actions, store
from hazina.standard.sample.note.rules import NoteUnknown, TooManyNotes

router = APIRouter(prefix="/sample/v1/notes", tags=["note"])

NoteText = Annotated[str, Field(min_length=1, max_length=200)]


class NoteWrite(Wire):
    """What the note should say."""

    text: NoteText


class NoteRead(Wire):
    """What a note says, and which version of it this is."""

    id: UUID
    text: str
    version: int
    written_at: datetime


@router.post("", status_code=201, responses=refuses(TooManyNotes))
async def post_note(
    request: Request, ask: NoteWrite, *, caller: Signed, attempt: Keyed, db: Db, now: Now
) -> NoteRead:
    """Write a note; asking again with the same key changes nothing."""
    most = request.app.state.notes_max
    made = await actions.write_note(db, caller, attempt, ask.text, now=now, most=most)
    return NoteRead.of(made)


@router.get("")
async def get_notes(caller: Signed, db: Db, paged: Paged) -> Page[NoteRead]:
    """List the caller's notes, oldest first."""
    (after,) = paged.after(UUID) or (None,)
    async with db.reading(caller.actor) as tx:
        notes = await store.list_notes(tx, after, paged.fetch)
    return paged.page(notes, key=lambda note: (note.id,), shape=NoteRead)


@router.get("/{id}", responses=refuses(NoteUnknown))
async def get_note(id: UUID, caller: Signed, db: Db, response: Response) -> NoteRead:
    """Read a note; its ETag names the version."""
    async with db.reading(caller.actor) as tx:
        found = await store.read_note(tx, id)
    response.headers["ETag"] = etag(found.version)
    return NoteRead.of(found)


@router.put("/{id}", responses=refuses(NoteUnknown, PreconditionFailed))
async def put_note(id: UUID, ask: NoteWrite, caller: Signed, db: Db, if_match: IfMatch) -> NoteRead:
    """Change a note, if it is still the version that the caller saw."""
    return NoteRead.of(await actions.change_note(db, caller, id, ask.text, if_match=if_match))
