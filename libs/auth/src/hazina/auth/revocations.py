"""What has been taken back: sessions, memberships and keys, known within half a second.

The tables are filled by `hearing` in whichever process listens. Every process that answers
requests reads what changed lately; older changes are already in any token that still lives.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from hazina.auth.caller import Caller
from hazina.auth.claims import LIFETIME_MAX_S
from hazina.auth.refusals import SessionRevoked, TokenInvalid, TokenStale
from hazina.pg import SERVICE, Database
from hazina.problems import Problem

logger = logging.getLogger("hazina.auth")

POLL_S = 0.25
POLL_TROUBLE_S = 1.0  # how long to leave a database alone that did not answer
OVERLAP = timedelta(seconds=30)  # longer than a consumer's transaction stays open
REMEMBERED = timedelta(seconds=LIFETIME_MAX_S) + OVERLAP  # longer than any token lives

# One statement, so that a poll is one round trip however much of it is empty. A membership
# with mv 1 is new: no token can be older than it.
RECENT = text("""
    select 'session' as kind, session_id as id, null::uuid as other, 0 as mv, heard_at, '' as kid
      from revoked_session where heard_at > :since
    union all
    select 'member', org_id, user_id, mv, heard_at, '' from member
      where heard_at > :since and mv > 1
    union all
    select 'key', null, null, 0, heard_at, kid from revoked_key
""")


class Revocations:
    """The view of one process on what has been taken back lately."""

    def __init__(self, db: Database) -> None:
        """Read from `db`, as soon as it is asked to `refresh` or `run`."""
        self._db = db
        self._sessions: dict[str, datetime] = {}
        self._members: dict[tuple[UUID, UUID], tuple[int, datetime]] = {}
        self._kids: frozenset[str] = frozenset()
        self._newest: datetime | None = None

    def require_standing(self, caller: Caller, kid: str) -> None:
        """Refuse a token whose key, session or membership was taken back after it was signed."""
        if kid in self._kids:
            raise TokenInvalid
        if caller.session_id in self._sessions:
            raise SessionRevoked
        if caller.org_id is not None and caller.user_id is not None:
            known = self._members.get((caller.org_id, caller.user_id))
            if known is not None and (caller.mv or 0) < known[0]:
                raise TokenStale

    async def run(self, stop: asyncio.Event) -> None:
        """Refresh every quarter of a second until `stop`; trouble keeps what is known."""
        while not stop.is_set():
            wait_s = POLL_S
            try:
                await self.refresh()
            except Exception as trouble:
                expected = isinstance(trouble, Problem)
                logger.warning("revocations not read: %r", trouble, exc_info=not expected)
                wait_s = POLL_TROUBLE_S
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait_s)

    async def refresh(self) -> None:
        """Read what was taken back since the last time."""
        async with self._db.reading(SERVICE) as tx:
            if self._newest is None:
                since = text("select clock_timestamp()")
                start: datetime = (await tx.execute(since)).scalar_one()
                self._newest = start - REMEMBERED
            rows = (await tx.execute(RECENT, {"since": self._newest - OVERLAP})).all()
        kids = set()
        for row in rows:
            match row.kind:
                case "session":
                    self._sessions[str(row.id)] = row.heard_at
                case "member":
                    self._members[row.id, row.other] = (row.mv, row.heard_at)
                case _:
                    kids.add(row.kid)
            self._newest = max(self._newest, row.heard_at)
        self._kids = frozenset(kids)
        self._forget(self._newest - REMEMBERED - OVERLAP)

    def _forget(self, before: datetime) -> None:
        """Drop what no token that still lives can be older than."""
        for session in [id for id, at in self._sessions.items() if at < before]:
            del self._sessions[session]
        for member in [id for id, (_, at) in self._members.items() if at < before]:
            del self._members[member]
