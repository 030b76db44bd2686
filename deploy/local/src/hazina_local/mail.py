"""The mail sink: takes every mail that the house sends, and shows it."""

import email
import email.policy
import re
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

KEPT_MAX = 500
SIZE_MAX_BYTES = 1 << 20
CODE = re.compile(r"(?<!\d)(\d{6})(?!\d)")


@dataclass(frozen=True)
class Mail:
    """One mail as it arrived."""

    number: int
    to: tuple[str, ...]
    sender: str
    subject: str
    text: str
    html: str
    code: str | None  # the six digits that a person would type, if it has some
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Mailbox:
    """The last mails, newest first, for people and for tests."""

    def __init__(self) -> None:
        """Begin empty."""
        self._kept: deque[Mail] = deque(maxlen=KEPT_MAX)
        self._number = 0

    def newest(self, to: str = "") -> list[Mail]:
        """List mails, newest first; those to one address when it is given."""
        wanted = to.lower()
        return [
            mail
            for mail in reversed(self._kept)
            if not wanted or wanted in (address.lower() for address in mail.to)
        ]

    def find(self, number: int) -> Mail | None:
        """The mail with this number, if it is still kept."""
        return next((mail for mail in self._kept if mail.number == number), None)

    def take(self, to: list[str], sender: str, raw: bytes) -> Mail:
        """Keep one mail."""
        message = email.message_from_bytes(raw, policy=email.policy.default)
        text, html = _part(message, "plain"), _part(message, "html")
        found = CODE.search(text) or CODE.search(html)
        self._number += 1
        mail = Mail(
            number=self._number,
            to=tuple(to),
            sender=sender,
            subject=str(message["subject"] or ""),
            text=text,
            html=html,
            code=found.group(1) if found else None,
        )
        self._kept.append(mail)
        return mail

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take what an SMTP client sends."""
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content).encode()
        self.take(list(envelope.rcpt_tos), envelope.mail_from or "", raw)
        return "250 kept"

    def protocol(self) -> SMTP:
        """Answer one SMTP connection."""
        return SMTP(self, data_size_limit=SIZE_MAX_BYTES, ident="hazina", hostname="localhost")


def as_json(mail: Mail) -> dict[str, Any]:
    """Write a mail as tests read it."""
    return {
        "number": mail.number,
        "to": list(mail.to),
        "from": mail.sender,
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
        "code": mail.code,
        "received_at": mail.received_at.isoformat(),
    }


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body(preferencelist=(kind,))
    return str(body.get_content()) if body is not None else ""
