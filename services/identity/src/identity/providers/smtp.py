"""Mail over SMTP."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from urllib.parse import SplitResult, unquote, urlsplit

from identity.message.actions import MailNotTaken
from identity.message.rules import Mail

TIMEOUT_S = 10
PORTS = {"smtp": 25, "smtps": 465}


class Smtp:
    """Hands mails to the server that a URL names: smtp:// (STARTTLS if offered) or smtps://."""

    name = "smtp"

    def __init__(self, url: str, *, sender: str) -> None:
        """Take the server's URL, with user and password if it wants them, and our address."""
        self._url: SplitResult = urlsplit(url)
        if self._url.scheme not in PORTS or not self._url.hostname:
            raise ValueError("a mail server is written smtp://host:port or smtps://host:port")
        self._sender = sender

    async def send(self, mail: Mail) -> None:
        """Hand `mail` over in a thread of its own; raises `MailNotTaken`."""
        try:
            await asyncio.to_thread(self._send, mail)
        except (OSError, smtplib.SMTPException) as trouble:
            raise MailNotTaken(f"{type(trouble).__name__}: {trouble}") from trouble

    def _send(self, mail: Mail) -> None:
        with self._connect() as server:
            if self._url.username:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
            server.send_message(self._letter(mail))

    def _connect(self) -> smtplib.SMTP:
        assert self._url.hostname
        host, port = self._url.hostname, self._url.port or PORTS[self._url.scheme]
        safe = ssl.create_default_context()
        if self._url.scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=safe)
        server = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=safe)
        return server

    def _letter(self, mail: Mail) -> EmailMessage:
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = self._sender, mail.to, mail.subject
        letter["Date"] = formatdate()
        letter["Message-ID"] = f"<{mail.id}@{parseaddr(self._sender)[1].rpartition('@')[2]}>"
        letter.set_content(mail.text)
        return letter
