"""The timer that sends mail."""

from datetime import datetime

from hazina.chassis import Timer
from hazina.pg import Database
from identity.message import actions
from identity.message.actions import Mailer
from identity.vault import Vault

SEND_EVERY_S = 1


def sender(vault: Vault, mailer: Mailer, *, wipe: bool) -> Timer:
    """Send queued mail through `mailer`."""

    async def run(db: Database, now: datetime) -> int:
        return await actions.deliver(db, vault, mailer, now, wipe=wipe)

    return Timer("mail", SEND_EVERY_S, run)
