"""Facts between services, each told once its transaction committed and applied exactly once."""

from hazina.outbox.apply import Source
from hazina.outbox.events import ConsumedEvent, Event, Received
from hazina.outbox.ledger import read_ledger
from hazina.outbox.listener import Listener
from hazina.outbox.producer import publish, schedule
from hazina.outbox.relay import Relay
from hazina.outbox.tables import create_sql, drop_sql

__all__ = [
    "ConsumedEvent",
    "Event",
    "Listener",
    "Received",
    "Relay",
    "Source",
    "create_sql",
    "drop_sql",
    "publish",
    "read_ledger",
    "schedule",
]
