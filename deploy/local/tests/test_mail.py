"""The mail sink: what a real mail client sends is what people and tests read."""

import asyncio
import smtplib
from email.message import EmailMessage

import pytest

from hazina_local.mail import Mailbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def send(mailbox: Mailbox, message: EmailMessage) -> None:
    """Send one mail through a real SMTP connection."""
    server = await asyncio.get_running_loop().create_server(mailbox.protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def deliver() -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.send_message(message)

    await asyncio.to_thread(deliver)
    server.close()
    await server.wait_closed()


def mail(to: str, subject: str, text: str) -> EmailMessage:
    """A mail as identity would send it."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "hazina@example.com", to, subject
    message.set_content(text)
    return message


class TestMailbox:
    async def test_keeps_what_was_sent(self) -> None:
        mailbox = Mailbox()

        await send(mailbox, mail("amina@example.com", "Karibu, Ünïcode", "Your code: 482913.\n"))

        (kept,) = mailbox.newest()
        assert (kept.to, kept.subject) == (("amina@example.com",), "Karibu, Ünïcode")
        assert kept.text.strip() == "Your code: 482913."
        assert kept.code == "482913"

    async def test_finds_by_address_newest_first(self) -> None:
        mailbox = Mailbox()
        for number, to in enumerate(["amina@example.com", "juma@example.com", "Amina@Example.com"]):
            await send(mailbox, mail(to, f"mail {number}", "hello"))

        found = mailbox.newest("amina@example.com")

        assert [one.subject for one in found] == ["mail 2", "mail 0"]
        assert mailbox.find(2) == mailbox.newest("juma@example.com")[0]

    @pytest.mark.parametrize("text", ["no code", "1234567 is seven", "12345 is five"])
    def test_sees_no_code_where_there_is_none(self, text: str) -> None:
        mailbox = Mailbox()

        kept = mailbox.take(["a@example.com"], "", mail("a@example.com", "x", text).as_bytes())

        assert kept.code is None
