"""`python -m identity`: serves, migrates, says what it is; `revoke-key KID` takes a key back."""

import asyncio
import sys

from hazina.chassis import main, wall_clock
from hazina.pg import Database
from hazina.problems import Problem
from identity.app import build, vault
from identity.key import actions
from identity.settings import Settings


async def revoke_key(kid: str) -> None:
    """Drop a signing key at once and tell every service; another signs from now on."""
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    await actions.revoke(db, vault(settings), kid, wall_clock())
    await db.close()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["revoke-key", kid]:
            try:
                asyncio.run(revoke_key(kid))
            except Problem as no:
                sys.exit(no.title)
        case _:
            main("identity", Settings, build)
