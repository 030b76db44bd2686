"""The SQL of messages. Reads and writes; decides nothing."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from hazina import ids
from hazina.pg import Transaction
from identity.message.rules import LEASE, Message
from identity.tables import email_delivery_log, notifications_outbox
from identity.vault import Vault

CLAIM = text("""
    update notifications_outbox set lease_until = :until, attempts = attempts + 1
     where id in (select id from notifications_outbox
                   where status = 'queued' and channel = 'email' and next_attempt_at <= :now
                     and (lease_until is null or lease_until <= :now)
                   order by next_attempt_at limit :rows for update skip locked)
    returning id, user_id, channel, to_enc, template, locale, params_enc, dedupe_key, attempts
""")


def _place(id: UUID) -> str:
    return f"notifications_outbox:{id}"


async def add_message(tx: Transaction, vault: Vault, message: Message, now: datetime) -> None:
    """Queue a message; one with a dedupe key that is there already changes nothing."""
    place = _place(message.id)
    params = json.dumps(dict(message.params)).encode()
    await tx.execute(
        upsert(notifications_outbox)
        .values(
            id=message.id,
            user_id=message.user_id,
            channel=message.channel,
            to_enc=vault.seal(message.to.encode(), place=place),
            template=message.template,
            locale=message.locale,
            params_enc=vault.seal(params, place=place),
            dedupe_key=message.dedupe_key,
            next_attempt_at=now,
        )
        .on_conflict_do_nothing()
    )


async def claim_due(
    tx: Transaction, vault: Vault, now: datetime, *, rows: int
) -> list[tuple[Message, int]]:
    """Lease messages that are due to this sender, each with the number of this try."""
    found = await tx.execute(CLAIM, {"now": now, "until": now + LEASE, "rows": rows})
    return [(_message(vault, row), row.attempts) for row in found]


async def list_messages(
    tx: Transaction, vault: Vault, *, rows: int
) -> list[tuple[Message, datetime]]:
    """Read the newest messages that still have their parameters, with when they were queued."""
    out = notifications_outbox
    newest = select(out).where(out.c.params_enc.is_not(None)).order_by(out.c.id.desc()).limit(rows)
    return [(_message(vault, row), row.created_at) for row in await tx.execute(newest)]


def _message(vault: Vault, row: Any) -> Message:
    place = _place(row.id)
    params = json.loads(vault.open(row.params_enc, place=place))
    to = vault.open(row.to_enc, place=place).decode()
    return Message(
        row.id, row.user_id, row.channel, to, row.template, row.locale, params, row.dedupe_key
    )


async def set_sent(tx: Transaction, id: UUID, *, wipe: bool) -> None:
    """Mark a message as sent; `wipe` removes what it said."""
    gone = {"params_enc": None} if wipe else {}
    mine = notifications_outbox.c.id == id
    sent = {"status": "sent", "lease_until": None, **gone}
    await tx.execute(update(notifications_outbox).where(mine).values(sent))


async def set_failed(tx: Transaction, id: UUID, next_attempt_at: datetime | None) -> None:
    """Note that a try failed: try again then, or with None never."""
    out = notifications_outbox
    values = (
        {"status": "failed", "params_enc": None}
        if next_attempt_at is None
        else {"next_attempt_at": next_attempt_at}
    )
    await tx.execute(update(out).where(out.c.id == id).values(lease_until=None, **values))


async def add_delivery(
    tx: Transaction, message: Message, *, to: str, provider: str, error: str | None, now: datetime
) -> None:
    """Log one try to hand a mail over."""
    await tx.execute(
        insert(email_delivery_log).values(
            id=ids.new(),
            notification_id=message.id,
            user_id=message.user_id,
            to_email=to,
            template=message.template,
            status="sent" if error is None else "failed",
            provider=provider,
            error_message=error,
            delivered_at=now if error is None else None,
        )
    )
