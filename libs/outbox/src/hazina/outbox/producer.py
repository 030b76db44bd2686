"""Telling a fact: written in the caller's transaction, so it is said only if it became true."""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID
from weakref import WeakSet
from zlib import crc32

from opentelemetry.context import Context

from hazina import ids
from hazina.outbox import tracing
from hazina.outbox.events import ConsumedEvent, Event, Received
from hazina.outbox.ledger import Connection
from hazina.outbox.tables import PAYLOAD_MAX_BYTES
from hazina.pg import Transaction, after_commit

KEY = re.compile(r"[!-~]([ -~]{0,253}[!-~])?")  # it travels as a header

# The insert counts the shard itself: only the schema knows how many there are.
ADD = """
insert into outbox
    (shard, event_id, type, version, key, key_version, subject, headers, payload)
select mod(crc, outbox_shards()), event_id, type, version, key, key_version,
    'evt.' || split_part(type, '.', 1) || '.' || mod(crc, outbox_shards())
        || '.' || substr(type, strpos(type, '.') + 1) || '.v' || version,
    headers::jsonb, payload
from unnest(%(crc)s::bigint[], %(event_id)s::uuid[], %(type)s::text[], %(version)s::smallint[],
    %(key)s::text[], %(key_version)s::bigint[], %(headers)s::text[], %(payload)s::bytea[])
    as told(crc, event_id, type, version, key, key_version, headers, payload)"""

SCHEDULE = """
insert into outbox_scheduled
    (event_id, due_at, shard, type, version, key, key_version, headers, payload)
values (%(event_id)s, %(due_at)s, mod(%(crc)s::bigint, outbox_shards()), %(type)s, %(version)s,
    %(key)s, %(key_version)s, %(headers)s::jsonb, %(payload)s)"""

# Their order among themselves is nobody's promise, so two relays may share the work.
PROMOTE: LiteralString = """
with due as (
    delete from outbox_scheduled where event_id in (
        select event_id from outbox_scheduled where due_at <= clock_timestamp()
        order by due_at limit 500 for update skip locked
    ) returning *
)
insert into outbox
    (shard, event_id, type, version, key, key_version, subject, headers, payload)
select shard, event_id, type, version, key, key_version,
    'evt.' || split_part(type, '.', 1) || '.' || shard
        || '.' || substr(type, strpos(type, '.') + 1) || '.v' || version,
    headers, payload
from due order by due_at"""

_sleepers: defaultdict[str, WeakSet[asyncio.Event]] = defaultdict(WeakSet)


async def publish(
    tx: Transaction,
    *events: Event,
    key_version: int | None = None,
    cause: Received[ConsumedEvent] | None = None,
    contexts: Sequence[Context | None] | None = None,
) -> list[UUID]:
    """Say `events` when `tx` commits, in this order; give their ids.

    Call it after the row of the aggregate is locked: that lock is what orders two facts with one
    key. `cause` is the received fact that these follow from; without it the running span is.
    `contexts`, one for each event, are for a transaction that serves many requests at once.
    """
    if not events:
        return []
    if contexts is None:
        contexts = [cause.trace if cause else None] * len(events)
    rows = [
        _row(event, key_version, context) for event, context in zip(events, contexts, strict=True)
    ]
    await tx.exec_driver_sql(ADD, {name: [row[name] for row in rows] for name in rows[0]})
    database = str(tx.engine.url)
    after_commit(tx, lambda: wake(database))
    return [row["event_id"] for row in rows]


async def schedule(tx: Transaction, event: Event, due_at: datetime) -> UUID:
    """Have `event` said at `due_at`, or within a second after, if `tx` commits; give its id."""
    row = _row(event, None, None)
    await tx.exec_driver_sql(SCHEDULE, {**row, "due_at": due_at})
    id: UUID = row["event_id"]
    return id


async def promote(db: Connection) -> int:
    """Say at most 500 scheduled events that are due; give how many."""
    return (await db.execute(PROMOTE)).rowcount


def sleeper(database: str) -> asyncio.Event:
    """Give an event that is set after each commit that told a fact to `database` from here."""
    event = asyncio.Event()
    _sleepers[database].add(event)
    return event


def wake(database: str) -> None:
    """Set every sleeper of `database` in this process."""
    for event in _sleepers[database]:
        event.set()


def _row(event: Event, key_version: int | None, parent: Context | None) -> dict[str, Any]:
    """Lay one event out as columns, with the trace it belongs to."""
    key = str(getattr(event, event.__key__))
    assert KEY.fullmatch(key), "a key is 1 to 255 printable ASCII characters, no space outside"
    payload = event.model_dump_json().encode()
    assert len(payload) <= PAYLOAD_MAX_BYTES, f"{event.__type__} is larger than 256 KiB"
    id = ids.new()
    return {
        "crc": crc32(key.encode()),
        "event_id": id,
        "type": event.__type__,
        "version": event.__version__,
        "key": key,
        "key_version": key_version,
        "headers": json.dumps(tracing.created(event.__type__, id, parent)),
        "payload": payload,
    }
