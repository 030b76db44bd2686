"""What identity says about members, sessions and keys, kept in the service's own tables."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias
from uuid import UUID

from sqlalchemy import text

from hazina.outbox import ConsumedEvent, Received
from hazina.pg import SERVICE, Database, Transaction

Handler: TypeAlias = Callable[[Transaction, Sequence[Received[Any]]], Awaitable[None]]

KEPT = timedelta(days=1)  # a revoked session; tokens of it die within minutes

SET_MEMBERS = text("""
    insert into member (org_id, user_id, role, mv, status)
    select * from unnest(cast(:orgs as uuid[]), cast(:users as uuid[]), cast(:roles as text[]),
                         cast(:mvs as bigint[]), cast(:statuses as text[]))
    on conflict (org_id, user_id) do update
       set role = excluded.role, mv = excluded.mv, status = excluded.status,
           heard_at = clock_timestamp()
     where excluded.mv > member.mv
""")
ADD_SESSIONS = text("""
    insert into revoked_session (session_id, user_id)
    select distinct on (session) session, owner
      from unnest(cast(:ids as uuid[]), cast(:users as uuid[])) as ended (session, owner)
    on conflict do nothing
""")
ADD_KEYS = text("""
    insert into revoked_key (kid) select distinct unnest(cast(:kids as text[]))
    on conflict do nothing
""")
PRUNE_SESSIONS = text("delete from revoked_session where heard_at < :before")


class Standing(Protocol):
    """Somebody's place in an organisation, whoever says it."""

    @property
    def org_id(self) -> UUID: ...
    @property
    def user_id(self) -> UUID: ...
    @property
    def role(self) -> str: ...
    @property
    def mv(self) -> int: ...


class Membership(ConsumedEvent):
    """A change of somebody's place in an organisation; `mv` numbers them."""

    org_id: UUID
    user_id: UUID
    role: Literal["owner", "member", "viewer"]
    mv: int


class MemberAdded(Membership, type="identity.member.added.v1"):
    """Somebody joined an organisation."""


class MemberRoleChanged(Membership, type="identity.member.role_changed.v1"):
    """Somebody's role in an organisation changed."""


class MemberRemoved(Membership, type="identity.member.removed.v1"):
    """Somebody left an organisation, or was taken out of it."""


class SessionsRevoked(ConsumedEvent, type="identity.session.revoked.v1"):
    """Sessions of a user were ended."""

    user_id: UUID
    session_ids: tuple[UUID, ...]


class SigningKeyRevoked(ConsumedEvent, type="identity.signing_key.revoked.v1"):
    """A signing key was taken back at once."""

    kid: str


async def keep_members(tx: Transaction, facts: Sequence[Received[Membership]]) -> None:
    """Write the newest of each membership; an older or repeated fact changes nothing."""
    newest: dict[tuple[UUID, UUID], tuple[Membership, str]] = {}
    for fact in facts:
        said = fact.event
        status = "removed" if isinstance(said, MemberRemoved) else "active"
        known = newest.get((said.org_id, said.user_id))
        if known is None or said.mv > known[0].mv:
            newest[said.org_id, said.user_id] = (said, status)
    rows = [newest[key] for key in sorted(newest)]  # one order for all: no deadlock
    await _set_members(tx, rows)


async def _set_members(tx: Transaction, rows: Sequence[tuple[Standing, str]]) -> None:
    await tx.execute(
        SET_MEMBERS,
        {
            "orgs": [said.org_id for said, _ in rows],
            "users": [said.user_id for said, _ in rows],
            "roles": [said.role for said, _ in rows],
            "mvs": [said.mv for said, _ in rows],
            "statuses": [status for _, status in rows],
        },
    )


async def change_member(tx: Transaction, member: Standing, *, removed: bool) -> None:
    """Refuse older tokens of this member from now on; identity calls it as it changes one."""
    await _set_members(tx, [(member, "removed" if removed else "active")])


async def end_sessions(tx: Transaction, facts: Sequence[Received[SessionsRevoked]]) -> None:
    """Remember every session that was ended."""
    await revoke_sessions(
        tx, [(id, fact.event.user_id) for fact in facts for id in fact.event.session_ids]
    )


async def revoke_sessions(tx: Transaction, ended: Iterable[tuple[UUID, UUID]]) -> None:
    """Refuse tokens of these (session, user) from now on; identity calls it as it ends them."""
    rows = list(ended)
    values = {"ids": [id for id, _ in rows], "users": [user for _, user in rows]}
    await tx.execute(ADD_SESSIONS, values)


async def drop_keys(tx: Transaction, facts: Sequence[Received[SigningKeyRevoked]]) -> None:
    """Refuse tokens signed with these keys from now on."""
    await revoke_keys(tx, [fact.event.kid for fact in facts])


async def revoke_keys(tx: Transaction, kids: Sequence[str]) -> None:
    """Refuse tokens signed with these keys from now on; identity calls it as it takes one back."""
    await tx.execute(ADD_KEYS, {"kids": list(kids)})


def hears() -> dict[type[ConsumedEvent], Handler]:
    """Give what a service hears from identity about callers, to merge into its `Source`."""
    return {
        MemberAdded: keep_members,
        MemberRoleChanged: keep_members,
        MemberRemoved: keep_members,
        SessionsRevoked: end_sessions,
        SigningKeyRevoked: drop_keys,
    }


async def prune(db: Database, now: datetime) -> int:
    """Forget sessions that ended a day ago; a timer's work. Gives how many."""
    async with db.transaction(SERVICE) as tx:
        return (await tx.execute(PRUNE_SESSIONS, {"before": now - KEPT})).rowcount
