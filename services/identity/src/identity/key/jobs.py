"""The timer that moves signing keys on."""

from datetime import datetime

from hazina.chassis import Timer
from hazina.pg import Database
from identity.key import actions
from identity.vault import Vault

ROTATE_EVERY_S = 3600


def rotation(vault: Vault) -> Timer:
    """Rotate signing keys when they are due."""

    async def run(db: Database, now: datetime) -> int:
        return await actions.rotate(db, vault, now)

    return Timer("signing_keys", ROTATE_EVERY_S, run)
