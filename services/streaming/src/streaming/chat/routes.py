"""The chat over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import Field

from hazina.auth import Signed
from hazina.chassis import INT_MAX, Db, Now, Wire, refuses
from streaming.box.rules import StreamUnknown
from streaming.chat import actions, rules, store
from streaming.profile.rules import UserSuspended

router = APIRouter(prefix="/streaming/v1", tags=["chat"])

LIMIT_MAX = 200


class MessageCreate(Wire):
    """What is to be said."""

    body: Annotated[str, Field(min_length=1, max_length=rules.BODY_MAX)]
    client_msg_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class MessageRead(Wire):
    """What was said, with its number."""

    stream_id: UUID
    seq: int
    kind: Literal["message", "gift", "notice"]
    profile_id: UUID | None
    display_name: str | None
    supporter: bool
    body: str | None
    gift: dict[str, Any] | None
    client_msg_id: str | None
    created_at: datetime
    deleted: bool


class ChatRead(Wire):
    """Messages in ascending order, and the last number of the room."""

    data: list[MessageRead]
    last_seq: int


Seq = Annotated[int, Query(ge=0, le=INT_MAX)]


@router.get("/streams/{stream_id}/chat", responses=refuses(StreamUnknown))
async def get_chat(
    stream_id: UUID,
    caller: Signed,
    db: Db,
    *,
    after_seq: Seq | None = None,
    before_seq: Seq | None = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 50,
) -> ChatRead:
    """List what was said, ascending; the newest when neither end is given."""
    async with db.reading(caller.actor) as tx:
        room = await store.read_room(tx, stream_id)
        last = await store.last_seq(tx, stream_id)
        if after_seq is not None:
            found = await store.list_after(tx, room, after_seq, limit)
        else:
            before = INT_MAX if before_seq is None else before_seq
            found = await store.list_before(tx, room, before, limit)
    if before_seq is not None:
        found = [message for message in found if message.seq < before_seq]
    return ChatRead(data=[MessageRead.of(message) for message in found], last_seq=last)


@router.post(
    "/streams/{stream_id}/chat",
    status_code=201,
    responses=refuses(
        StreamUnknown,
        UserSuspended,
        rules.ChatBanned,
        rules.ChatTimedOut,
        rules.ChatNotLive,
        rules.BodyEmpty,
        rules.SlowMode,
    ),
)
async def post_message(
    stream_id: UUID, ask: MessageCreate, caller: Signed, db: Db, *, now: Now, request: Request
) -> MessageRead:
    """Say something; the same `client_msg_id` gives the first answer."""
    made = await actions.say(
        db,
        request.app.state.rooms,
        caller,
        stream_id,
        body=ask.body,
        client_msg_id=ask.client_msg_id,
        at=now,
    )
    return MessageRead.of(made)
