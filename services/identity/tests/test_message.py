from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI
from sqlalchemy import text

from hazina.embedded import free_port
from hazina.pg import SERVICE, Database
from hazina.standard import MovableClock
from identity.message import actions, rules
from identity.message.actions import MailNotTaken
from identity.message.rules import Mail, Template
from identity.providers.smtp import Smtp

from .given import People

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class TestRules:
    @pytest.mark.parametrize("template", get_args(Template))
    @pytest.mark.parametrize("locale", ["en", "sw"])
    def test_speaks_every_language(self, template: Template, locale: str) -> None:
        params = {"code": "123456", "link": "https://x"}
        message = rules.Message(UUID(int=1), None, "email", "a@b", template, locale, params, "once")

        mail = rules.render(message)

        assert "https://x" in mail.text
        assert "\n" not in mail.subject

    def test_waits_longer_each_time_and_gives_up(self) -> None:
        waits = [rules.next_try(n, NOW) for n in range(1, 9)]

        assert waits == [NOW + timedelta(seconds=2**n) for n in range(1, 8)] + [None]

    def test_masks_addresses(self) -> None:
        assert rules.mask("amina@example.com") == "a***@example.com"


@dataclass
class Sink:
    """A mail server that keeps what it takes, or takes nothing."""

    port: int
    refuses: bool = False
    taken: list[bytes] = field(default_factory=list)

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuses:
            return "451 not now"
        assert isinstance(envelope.content, bytes)
        self.taken.append(envelope.content)
        return "250 kept"

    @property
    def mailer(self) -> Smtp:
        return Smtp(f"smtp://127.0.0.1:{self.port}", sender="Hazina <no-reply@hazina.example>")


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A mail server on a free port."""
    made = Sink(free_port())
    controller = Controller(made, hostname="127.0.0.1", port=made.port)
    controller.start()
    yield made
    controller.stop()


async def statuses(db: Database) -> list[tuple[str, bool]]:
    wanted = text("select status, params_enc is null as wiped from notifications_outbox")
    async with db.reading(SERVICE) as tx:
        return [(row.status, row.wiped) for row in await tx.execute(wanted)]


@pytest.mark.anyio
class TestDeliver:
    async def test_sends_a_mail_once_and_wipes_what_it_said(
        self, people: People, sink: Sink, *, db: Database, app: FastAPI, clock: MovableClock
    ) -> None:
        await people.ask()
        code, vault = await people.code(), app.state.trust.vault

        tried = [
            await actions.deliver(db, vault, sink.mailer, clock(), wipe=True) for _ in range(2)
        ]

        assert tried == [1, 0]
        (mail,) = sink.taken
        assert f"Subject: Your Hazina code: {code}".encode() in mail
        assert b"To: amina@example.com" in mail
        assert await statuses(db) == [("sent", True)]
        async with db.reading(SERVICE) as tx:
            log = text("select to_email, status, provider from email_delivery_log")
            assert (await tx.execute(log)).all() == [("a***@example.com", "sent", "smtp")]

    async def test_tries_again_later_when_it_is_not_taken(
        self, people: People, sink: Sink, *, db: Database, app: FastAPI, clock: MovableClock
    ) -> None:
        await people.ask()
        vault, sink.refuses = app.state.trust.vault, True

        async def deliver() -> int:
            return await actions.deliver(db, vault, sink.mailer, clock(), wipe=True)

        assert (await deliver(), await deliver()) == (1, 0)
        sink.refuses = False
        clock.move(seconds=2)
        assert await deliver() == 1
        assert len(sink.taken) == 1

    async def test_gives_up_after_eight_tries(
        self, people: People, *, db: Database, app: FastAPI, clock: MovableClock
    ) -> None:
        await people.ask()
        nowhere = Smtp(f"smtp://127.0.0.1:{free_port()}", sender="a@b")
        for _ in range(10):
            await actions.deliver(db, app.state.trust.vault, nowhere, clock(), wipe=True)
            clock.move(seconds=300)

        assert await statuses(db) == [("failed", True)]

    async def test_raises_only_what_it_says(self) -> None:
        with pytest.raises(MailNotTaken):
            await Smtp(f"smtp://127.0.0.1:{free_port()}", sender="a@b").send(
                Mail(UUID(int=1), "a@b", "s", "t")
            )
        with pytest.raises(ValueError, match="smtp://"):
            Smtp("http://x", sender="a@b")
