"""What can be done with messages: queue one beside its cause, send what is due."""

import asyncio
from datetime import datetime
from typing import Protocol
from uuid import UUID

from hazina import ids
from hazina.pg import SERVICE, Database, Transaction
from identity.message import rules, store
from identity.message.rules import Mail, Message, Template
from identity.vault import Vault

BATCH = 5  # mails leased and sent at once: all of them well within the lease


class MailNotTaken(Exception):
    """The mail server did not take a mail; the same one may be tried again."""


class Mailer(Protocol):
    """Who hands mails over to the world."""

    name: str

    async def send(self, mail: Mail) -> None:
        """Hand `mail` over, or raise `MailNotTaken`."""


async def send_in(
    tx: Transaction,
    vault: Vault,
    template: Template,
    *,
    to: str,
    locale: str,
    user_id: UUID | None,
    params: dict[str, str],
    now: datetime,
    once: str,
) -> None:
    """Queue a mail in `tx`; `once` names its cause, which is told of at most once."""
    message = Message(ids.new(), user_id, "email", to, template, locale, params, once)
    await store.add_message(tx, vault, message, now)


async def deliver(db: Database, vault: Vault, mailer: Mailer, now: datetime, *, wipe: bool) -> int:
    """Send what is due, outside any transaction; give how many were tried.

    A process that dies between the sending and its note sends twice: Message-ID is the row's id.
    """
    async with db.transaction(SERVICE) as tx:
        due = await store.claim_due(tx, vault, now, rows=BATCH)
    await asyncio.gather(
        *(_send(db, mailer, message, attempts, now=now, wipe=wipe) for message, attempts in due)
    )
    return len(due)


async def _send(
    db: Database, mailer: Mailer, message: Message, attempts: int, *, now: datetime, wipe: bool
) -> None:
    """Send one mail and note what became of it."""
    trouble = await _hand_over(mailer, message)
    async with db.transaction(SERVICE) as tx:
        if trouble is None:
            await store.set_sent(tx, message.id, wipe=wipe)
        else:
            await store.set_failed(tx, message.id, rules.next_try(attempts, now))
        to = rules.mask(message.to)
        await store.add_delivery(tx, message, to=to, provider=mailer.name, error=trouble, now=now)


async def _hand_over(mailer: Mailer, message: Message) -> str | None:
    """Try once; give what went wrong, if something did."""
    try:
        await mailer.send(rules.render(message))
    except MailNotTaken as trouble:
        return str(trouble)[:200]
    return None


async def list_shown(db: Database, vault: Vault, to: str) -> list[tuple[Message, Mail, datetime]]:
    """Read the newest messages to `to` (all, when it is empty): for development only."""
    async with db.reading(SERVICE) as tx:
        rows = await store.list_messages(tx, vault, rows=200)
    return [
        (message, rules.render(message), at)
        for message, at in rows
        if message.to == to.lower() or not to
    ]
