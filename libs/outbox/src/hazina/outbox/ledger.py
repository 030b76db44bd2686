"""The ledger of facts: which are new, what number each has, and reading them back by number.

A window is what one snapshot saw and the one before did not. Both snapshots are stored, rows never
change, so a window read again is the same rows in the same order, byte for byte.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, TypeAlias

import psycopg
from psycopg.rows import TupleRow

from hazina.outbox.tables import WINDOW_ROWS_MAX
from hazina.pg import SERVICE, Database

Connection: TypeAlias = psycopg.AsyncConnection[TupleRow]

BATCH_MAX_BYTES = 2_000_000
READ_MAX = 1_000  # facts one call of `read` gives

# The planner cannot know how few rows a window has, and must never walk a whole day for them.
SETUP: LiteralString = """
select set_config('app.role', 'service', false), set_config('enable_seqscan', 'off', false),
    set_config('enable_bitmapscan', 'off', false),
    set_config('plan_cache_mode', 'force_generic_plan', false),
    -- What is published must be on disk, whatever the server's default is for others.
    set_config('synchronous_commit', case when current_setting('synchronous_commit')
        in ('off', 'local') then 'on' else current_setting('synchronous_commit') end, false)"""

# One statement, so one snapshot: what it sees is what pg_current_snapshot() says. A row is new
# that had not begun at `prev`, or was in progress then: two halves, each on (shard, xid).
SEQUENCE: LiteralString = f"""
with w as materialized (
    select s.shard, coalesce(last.window_no, 0) as window_no,
        coalesce(last.cur, '1:1:') as prev, coalesce(last.first_seq + last.n, 1) as next_seq
    from unnest(%(shards)s::smallint[]) as s(shard)
    left join lateral (
        select * from outbox_window where shard = s.shard order by window_no desc limit 1
    ) as last on true
), fresh as materialized (
    select w.shard, o.pos, o.event_id
    from w cross join lateral (
        select pos, event_id from outbox
        where shard = w.shard and xid >= pg_snapshot_xmax(w.prev)
        union all
        select pos, event_id from pg_snapshot_xip(w.prev) as then_open(xid)
            join outbox on shard = w.shard and outbox.xid = then_open.xid
    ) as o
), slice as (
    select fresh.*, (row_number() over (partition by shard order by pos) - 1)
            / {WINDOW_ROWS_MAX} as part,
        count(*) over (partition by shard) > {WINDOW_ROWS_MAX} as sliced
    from fresh
)
insert into outbox_window
    (shard, window_no, prev, cur, sliced, first_pos, last_pos, first_seq, n, digest)
select w.shard, window_no + 1 + part, prev, pg_current_snapshot(), sliced, first_pos, last_pos,
    next_seq + part * {WINDOW_ROWS_MAX}, n, digest
from w join (
    select shard, part, sliced, min(pos) as first_pos, max(pos) as last_pos, count(*) as n,
        sha256(string_agg(uuid_send(event_id), ''::bytea order by pos)) as digest
    from slice group by shard, part, sliced
) as s on s.shard = w.shard
returning shard, n"""  # noqa: S608  only our own words

# Small windows are found by transaction, slices of a large one by position. Windows of which a
# part was pruned are left out whole: their rows could not be numbered.
_ROWS: LiteralString = f"""
with w as materialized (
    select * from outbox_window
    where shard = %(shard)s and first_seq > %(after)s - {WINDOW_ROWS_MAX}
        and first_seq <= %(after)s + %(limit)s and first_seq + n - 1 > %(after)s
), found as materialized (
    select w.window_no, w.first_seq, w.n, o.*
    from w cross join lateral (
        select o.* from outbox as o
        where not w.sliced and o.shard = w.shard
            and o.xid >= pg_snapshot_xmax(w.prev) and o.xid < pg_snapshot_xmax(w.cur)
        union all
        select o.* from pg_snapshot_xip(w.prev) as then_open(xid)
            join outbox as o on o.shard = w.shard and o.xid = then_open.xid
        where not w.sliced
        union all
        select o.* from outbox as o
        where w.sliced and o.pos between w.first_pos and w.last_pos and o.shard = w.shard
            and not pg_visible_in_snapshot(o.xid, w.prev)
    ) as o
    where pg_visible_in_snapshot(o.xid, w.cur)
), numbered as (
    select found.*, count(*) over (partition by window_no) = n as whole,
        first_seq - 1 + row_number() over (partition by window_no order by pos) as seq
    from found
), sized as (
    select numbered.*,
        sum(octet_length(payload)) over (order by seq) - octet_length(payload) as bytes_before
    from numbered where whole and seq > %(after)s
)"""  # noqa: S608

READ: LiteralString = f"""{_ROWS}
select seq, event_id::text, type || '.v' || version, key, key_version, subject, headers::text,
    payload, to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
from sized where bytes_before < %(max_bytes)s order by seq limit %(limit)s"""  # noqa: S608

HEAD: LiteralString = """
select first_seq + n - 1, window_no from outbox_window
where shard = %s order by window_no desc limit 1"""

AGED_OUT: LiteralString = """
select first_seq + n - 1 from outbox_window
where shard = %s and opened_at < clock_timestamp() - make_interval(days => %s)
order by window_no desc limit 1"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One numbered fact, as it goes over the wire."""

    seq: int
    event_id: str
    subject: str
    headers: dict[str, str]  # CloudEvents binary mode, Hazina-Seq and the trace
    payload: bytes


async def sequence(db: Connection, shards: Sequence[int]) -> dict[int, int]:
    """Number what was committed since the last window of each of `shards`; give how many.

    Raises psycopg's UniqueViolation when another sequencer was faster: nothing was numbered.
    """
    rows = await (await db.execute(SEQUENCE, {"shards": list(shards)})).fetchall()
    fresh: dict[int, int] = {}
    for shard, n in rows:
        fresh[shard] = fresh.get(shard, 0) + n
    return fresh


async def head(db: Connection, shard: int) -> int:
    """Give the last number that `shard` has handed out; 0 before the first."""
    row = await (await db.execute(HEAD, (shard,))).fetchone()
    return int(row[0]) if row else 0


async def aged_out(db: Connection, shard: int, days: int) -> int:
    """Give the last number that is older than `days`: what a stream may have dropped by age."""
    row = await (await db.execute(AGED_OUT, (shard, days))).fetchone()
    return int(row[0]) if row else 0


async def read(
    db: Connection,
    shard: int,
    after: int,
    limit: int = READ_MAX,
    max_bytes: int = BATCH_MAX_BYTES,
) -> list[Entry]:
    """Read facts numbered above `after`, in order: at most `limit`, and about `max_bytes`.

    Numbers are missing only where a day was pruned or a bridge was laid.
    """
    asked = {
        "shard": shard,
        "after": after,
        "limit": min(limit, READ_MAX),
        "max_bytes": max_bytes,
    }
    cursor = db.cursor(binary=True)
    await cursor.execute(READ, asked)
    return [_entry(row) for row in await cursor.fetchall()]


async def read_ledger(db: Database, shard: int, after: int, limit: int = 500) -> dict[str, Any]:
    """Give the page of facts after number `after`, for GET /internal/outbox/{shard}.

    Answers `{"data": [{seq, subject, headers, payload}]}`; `payload` is the fact's JSON as text.
    """
    async with db.reading(SERVICE) as tx:
        raw = (await tx.get_raw_connection()).driver_connection
        assert isinstance(raw, psycopg.AsyncConnection)
        await raw.execute("set local enable_seqscan = off; set local enable_bitmapscan = off")
        entries = await read(raw, shard, after, limit)
    return {
        "data": [
            {
                "seq": entry.seq,
                "subject": entry.subject,
                "headers": entry.headers,
                "payload": entry.payload.decode(),
            }
            for entry in entries
        ]
    }


def _entry(row: TupleRow) -> Entry:
    seq, event_id, type, key, key_version, subject, carried, payload, time = row
    headers = {
        "Hazina-Seq": str(seq),
        "ce-id": event_id,
        "ce-type": type,
        "ce-subject": key,
        "ce-time": time,
        "ce-source": subject.split(".", 2)[1],
        "ce-specversion": "1.0",
        "content-type": "application/json",
    }
    if key_version is not None:
        headers["Hazina-Key-Version"] = str(key_version)
    if carried != "{}":
        headers.update(json.loads(carried))
    return Entry(seq, event_id, subject, headers, payload)
