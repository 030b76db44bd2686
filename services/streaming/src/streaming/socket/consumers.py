"""What happens to sockets when identity ends a login, or somebody may not be here any more."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from hazina import auth
from hazina.outbox import ConsumedEvent, Received
from hazina.pg import Transaction, after_commit
from streaming.socket.actions import Connections

Handler = Callable[[Transaction, Sequence[Received[Any]]], Awaitable[None]]
SESSIONS_REVOKED = "identity.session.revoked.v1"


def hears(connections: Connections) -> dict[type[ConsumedEvent], Handler]:
    """Give what we hear of callers: kept as everywhere, and sockets of ended logins closed."""
    heard: dict[type[ConsumedEvent], Handler] = dict(auth.hears())
    for event, keep in heard.items():
        if event.__type__ == SESSIONS_REVOKED:
            heard[event] = _closing(keep, connections)
    return heard


def _closing(keep: Handler, connections: Connections) -> Handler:
    async def keep_and_close(tx: Transaction, facts: Sequence[Received[Any]]) -> None:
        await keep(tx, facts)
        ended: set[UUID] = {id for fact in facts for id in fact.event.session_ids}
        after_commit(tx, lambda: connections.close_sessions(set(map(str, ended))))

    return keep_and_close
