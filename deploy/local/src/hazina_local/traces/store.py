"""Where spans are kept: one table that forgets after an hour."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from hazina_local.traces.span import Span

KEEP = "1 hour"
WAITING_MAX = 50_000  # spans; when PostgreSQL is away, the oldest are dropped
BATCH_MAX = 5_000
FLUSH_S = 0.2
SWEEP_S = 60
RETRY_S = 1.0

logger = logging.getLogger(__name__)

TABLE = """
create unlogged table if not exists span (
    trace_id text not null, span_id text not null, parent_id text not null,
    service text not null, name text not null, kind text not null,
    start_ns bigint not null, end_ns bigint not null, failed boolean not null,
    attributes jsonb not null, received_at timestamptz not null default now(),
    primary key (trace_id, span_id));
create index if not exists span_received_at on span (received_at);
comment on table span is 'Spans of the last hour. Unlogged: a crash may forget them.';
"""
COLUMNS = "trace_id, span_id, parent_id, service, name, kind, start_ns, end_ns, failed, attributes"
INSERT = f"""
insert into span ({COLUMNS})
select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                     %s::bigint[], %s::bigint[], %s::boolean[], %s::jsonb[])
on conflict do nothing
"""  # noqa: S608 - our own columns
# A trace is named by its first span; what began at the gateway says the address there.
RECENT = """
with recent as (
    select trace_id, min(start_ns) as start_ns, max(end_ns) as end_ns, count(*) as spans,
           count(distinct service) as services, bool_or(failed) as failed
    from span where received_at > now() - interval '1 hour'
    group by trace_id order by min(start_ns) desc limit 2000)
select trace_id, start_ns, (end_ns - start_ns) / 1e6::float8 as took_ms, spans, services, failed,
       first.service as first_service, first.name as first_name
from recent, lateral (
    select service, coalesce(
               nullif(concat_ws(' ', coalesce(attributes ->> 'http.method',
                                              attributes ->> 'http.request.method'),
                   regexp_replace(coalesce(attributes ->> 'http.url',
                                           attributes ->> 'url.path', ''),
                                  '^https?://[^/]*', '')), ''), name) as name
    from span where span.trace_id = recent.trace_id
    order by start_ns, parent_id limit 1) first
where services >= %(services_min)s and first.name ~ %(like)s
order by start_ns desc limit %(limit)s
"""


@dataclass(frozen=True)
class Summary:
    """One trace in a list."""

    trace_id: str
    start_ns: int
    took_ms: float
    spans: int
    services: int
    failed: bool
    first_service: str
    first_name: str


class Store:
    """Keeps what it is given soon, in batches, and forgets it after an hour."""

    def __init__(self, dsn: str) -> None:
        """Take where to keep spans; nothing is connected before `run()`."""
        self._dsn = dsn
        self._waiting: deque[Span] = deque(maxlen=WAITING_MAX)

    def add(self, spans: Iterable[Span]) -> None:
        """Take spans to be kept soon."""
        self._waiting.extend(spans)

    async def run(self) -> None:
        """Keep what comes, for ever; while PostgreSQL is away, wait and try again."""
        while True:
            try:
                async with await connect(self._dsn) as connection:
                    await connection.execute(TABLE)
                    await self._keep(connection)
            except psycopg.Error as trouble:
                logger.debug("spans wait for PostgreSQL: %s", trouble)
                await asyncio.sleep(RETRY_S)

    async def _keep(self, connection: psycopg.AsyncConnection[object]) -> None:
        swept = 0.0
        while True:
            await asyncio.sleep(FLUSH_S)
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
                try:
                    await connection.execute(INSERT, _arrays(batch))
                except psycopg.Error:
                    self._waiting.extendleft(reversed(batch))
                    raise
            swept += FLUSH_S
            if swept >= SWEEP_S:
                swept = 0.0
                await connection.execute(
                    "delete from span where received_at < now() - %s::interval", (KEEP,)
                )


async def connect(dsn: str) -> psycopg.AsyncConnection[object]:
    """Open a connection that commits each statement by itself."""
    return await psycopg.AsyncConnection[object].connect(dsn, autocommit=True)


async def read_trace(dsn: str, trace_id: str) -> list[Span]:
    """Read one trace's spans in the order they began; the first digits of its id suffice."""
    async with (
        await connect(dsn) as connection,
        connection.cursor(row_factory=class_row(Span)) as cursor,
    ):
        await cursor.execute(
            f"""select {COLUMNS} from span
                where trace_id = (select trace_id from span
                                  where trace_id >= %(id)s and trace_id < %(id)s || 'g' limit 1)
                order by start_ns""",  # noqa: S608 - our own columns
            {"id": trace_id.lower()},
        )
        return await cursor.fetchall()


async def list_recent(
    dsn: str, *, limit: int = 30, services_min: int = 1, like: str = ""
) -> list[Summary]:
    """List traces of the last hour, newest first; `like` is a pattern for the first span's name."""
    async with (
        await connect(dsn) as connection,
        connection.cursor(row_factory=class_row(Summary)) as cursor,
    ):
        await cursor.execute(RECENT, {"limit": limit, "services_min": services_min, "like": like})
        return await cursor.fetchall()


def _arrays(spans: list[Span]) -> list[list[object]]:
    rows = [
        (
            *(span.trace_id, span.span_id, span.parent_id, span.service, span.name, span.kind),
            *(span.start_ns, span.end_ns, span.failed, json.dumps(span.attributes)),
        )
        for span in spans
    ]
    return [list(column) for column in zip(*rows, strict=True)]
