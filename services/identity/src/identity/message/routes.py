"""Messages over HTTP: mounted in development only, so that nobody needs a mailbox."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from hazina.chassis import Db, Wire
from identity.message import actions
from identity.trust import Trusted

router = APIRouter(prefix="/dev", tags=["development"])


class MessageRead(Wire):
    """A message as its reader gets it."""

    id: UUID
    channel: str
    to: str
    template: str
    locale: str
    subject: str
    text: str
    code: str | None
    link: str | None
    created_at: datetime


@router.get("/messages")
async def get_messages(
    db: Db, trust: Trusted, to: Annotated[str, Query(max_length=200)] = ""
) -> list[MessageRead]:
    """Show what was sent to somebody, newest first. Development only."""
    return [
        MessageRead(
            id=message.id,
            channel=message.channel,
            to=message.to,
            template=message.template,
            locale=message.locale,
            subject=mail.subject,
            text=mail.text,
            code=message.params.get("code"),
            link=message.params.get("link"),
            created_at=at,
        )
        for message, mail, at in await actions.list_shown(db, trust.vault, to)
    ]
