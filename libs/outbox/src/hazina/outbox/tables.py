"""The tables of outbox and inbox, as SQL for a service's first migration."""

from hazina.pg import IS_SERVICE, protect

DAYS_AHEAD = 7  # partitions made before they are needed
PAYLOAD_MAX_BYTES = 262_144
SHARDS_MAX = 16  # JetStream takes 50 batches at a time from all writers of a stream
WINDOW_ROWS_MAX = 1_000  # also what JetStream takes in one atomic batch

OUTBOX = f"""
create table outbox (
    day date not null default (now() at time zone 'utc')::date,
    pos bigint generated always as identity,
    shard smallint not null,
    xid xid8 not null default pg_current_xact_id(),
    event_id uuid not null,
    type text not null,
    version smallint not null,
    key text not null,
    key_version bigint,
    subject text not null,
    headers jsonb not null default '{{}}',
    payload bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    constraint outbox_payload_bounded check (octet_length(payload) <= {PAYLOAD_MAX_BYTES}),
    primary key (pos, day)
) partition by range (day);
create index outbox_by_transaction on outbox (shard, xid);
comment on table outbox is
    'Facts this service told others, in the transaction that made them true; only ever added to.';
comment on column outbox.day is 'UTC day of the transaction; days are dropped whole.';
comment on column outbox.pos is 'Order within a window; gaps and late commits are normal.';
comment on column outbox.shard is 'crc32(key) modulo outbox_shards().';
comment on column outbox.xid is 'The top-level transaction, whose visibility decides the window.';
comment on column outbox.key_version is 'The aggregate''s version, when it counts one.';
comment on column outbox.headers is 'traceparent, tracestate and allowed baggage of the creation.';

create table outbox_window (
    shard smallint not null,
    window_no bigint not null,
    prev pg_snapshot not null,
    cur pg_snapshot not null,
    sliced boolean not null,
    first_pos bigint not null,
    last_pos bigint not null,
    first_seq bigint not null,
    n integer not null,
    digest bytea not null,
    opened_at timestamptz not null default clock_timestamp(),
    constraint outbox_window_bounded check (n > 0 and (n <= {WINDOW_ROWS_MAX} or last_pos < 0)),
    primary key (shard, window_no),
    unique (shard, first_seq)
);
comment on table outbox_window is
    'The numbering of facts: row i of a window has the number first_seq + i, for ever.';
comment on column outbox_window.prev is 'Snapshot of the window before; its rows are not in here.';
comment on column outbox_window.cur is 'Snapshot that saw the rows of this window.';
comment on column outbox_window.sliced is
    'The two snapshots span more rows than a window takes; first_pos and last_pos cut it out.';
comment on column outbox_window.last_pos is
    '-1 in a bridge: numbers that only the stream remembers, see resolve-divergence.';
comment on column outbox_window.digest is 'SHA-256 of the event ids in order.';

create table outbox_shard (
    shard smallint primary key,
    owner text,
    epoch bigint not null default 0,
    lease_until timestamptz,
    published_seq bigint not null default 0,
    stream_seq bigint not null default 0,
    system_id bigint,
    timeline integer,
    halted text,
    updated_at timestamptz
) with (fillfactor = 50);
comment on table outbox_shard is
    'Which relay works on a shard, to save work; correctness never rests on it.';
comment on column outbox_shard.published_seq is 'Progress as last noted; the stream knows better.';
comment on column outbox_shard.system_id is 'The cluster whose transaction ids the windows name.';
comment on column outbox_shard.timeline is 'Changes when a replica was promoted.';
comment on column outbox_shard.halted is 'Why the relay stopped this shard; null when it runs.';

create table outbox_scheduled (
    event_id uuid primary key,
    due_at timestamptz not null,
    shard smallint not null,
    type text not null,
    version smallint not null,
    key text not null,
    key_version bigint,
    headers jsonb not null default '{{}}',
    payload bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    constraint outbox_scheduled_bounded check (octet_length(payload) <= {PAYLOAD_MAX_BYTES})
);
create index outbox_scheduled_by_time on outbox_scheduled (due_at);
comment on table outbox_scheduled is 'Facts that become true later; moved to outbox when due.';
"""

INBOX = """
create table inbox_cursor (
    consumer text not null,
    source text not null,
    shard smallint not null,
    last_seq bigint not null default 0,
    last_event uuid,
    stream_seq bigint not null default 0,
    digest bytea not null default '',
    owner text,
    lease_until timestamptz,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (consumer, source, shard)
) with (fillfactor = 50);
comment on table inbox_cursor is
    'The last fact of each source shard applied here; moves in the transaction of its effect.';
comment on column inbox_cursor.stream_seq is 'Where the stream held it, to resume reading there.';
comment on column inbox_cursor.digest is 'd = SHA-256(d || event id) over every fact passed.';
comment on column inbox_cursor.owner is 'The listener that reads this shard, to save work only.';

create table inbox_quarantine (
    consumer text not null,
    source text not null,
    shard smallint not null,
    seq bigint not null,
    event_id uuid not null,
    type text not null,
    key text not null,
    headers jsonb not null,
    payload bytea not null,
    state text not null,
    attempts integer not null default 0,
    error text,
    first_at timestamptz not null default clock_timestamp(),
    last_at timestamptz not null default clock_timestamp(),
    resolved_by text,
    constraint inbox_quarantine_state
        check (state in ('poison', 'parked', 'replaying', 'replayed', 'discarded')),
    primary key (consumer, source, shard, seq)
);
create index inbox_quarantine_open on inbox_quarantine (consumer, source, shard, key)
    where state in ('poison', 'parked', 'replaying');
comment on table inbox_quarantine is
    'Facts that could not be applied, and later ones of their keys that wait behind them.';
comment on column inbox_quarantine.state is
    'poison: failed; parked: waits behind it; replaying: an operator asked to try again.';
comment on column inbox_quarantine.resolved_by is 'Why it was discarded, in the operator''s words.';
"""

# A function, because partitions are made by the relay, who does not own the tables.
FUNCTIONS = """
create function outbox_append_only(one regclass) returns void language plpgsql as $body$
declare
    grantee text;
begin
    for grantee in
        select distinct acl.grantee::regrole::text
        from pg_class, aclexplode(pg_class.relacl) as acl
        where pg_class.oid = one and acl.grantee not in (0, pg_class.relowner)
    loop
        execute 'revoke update, delete, truncate on ' || one || ' from ' || grantee;
    end loop;
end $body$;
comment on function outbox_append_only is 'Lets nobody but the owner change or remove rows.';
do $body$
declare
    grantee text;
begin
    for grantee in
        select distinct acl.grantee::regrole::text
        from pg_proc, aclexplode(pg_proc.proacl) as acl
        where pg_proc.oid = 'outbox_append_only'::regproc
            and acl.grantee not in (0, pg_proc.proowner)
    loop
        execute 'revoke execute on function outbox_append_only from ' || grantee;
    end loop;
end $body$;
revoke execute on function outbox_append_only from public;

create function outbox_ensure_partitions(days_ahead integer) returns integer
language plpgsql security definer set lock_timeout = '200ms' as $body$
declare
    today date := (now() at time zone 'utc')::date;
    one date;
    name text;
    made integer := 0;
begin
    perform pg_advisory_xact_lock('outbox'::regclass::oid::bigint);
    for one in select today + ahead from generate_series(0, least(days_ahead, 60)) as ahead loop
        name := 'outbox_' || to_char(one, 'YYYYMMDD');
        -- A day that already has rows in the default partition stays there.
        continue when to_regclass(name) is not null
            or exists (select from outbox
                where day = one and tableoid = 'outbox_default'::regclass);
        execute 'create table ' || name
            || ' (like outbox including defaults including constraints)'
            || ' with (autovacuum_vacuum_insert_scale_factor = 0.05)';
        execute 'comment on table ' || name || ' is ''One day of outbox.''';
        execute 'alter table ' || name || ' enable row level security';
        execute 'alter table ' || name || ' force row level security';
        perform outbox_append_only(name::regclass);
        execute 'alter table outbox attach partition ' || name
            || ' for values from (' || quote_literal(one) || ') to ('
            || quote_literal(one + 1) || ')';
        made := made + 1;
    end loop;
    return made;
end $body$;
comment on function outbox_ensure_partitions is 'Makes the partitions of today and of days ahead.';

create function outbox_prune(before date) returns integer
language plpgsql security definer set lock_timeout = '1s' as $body$
declare
    part record;
    upto record;
    head record;
    dropped integer := 0;
begin
    if before > (now() at time zone 'utc')::date then
        raise exception 'only past days can be pruned';
    end if;
    for part in
        select inhrelid::regclass as name
        from pg_inherits where inhparent = 'outbox'::regclass
            and inhrelid::regclass::text ~ 'outbox_[0-9]+$'
            and to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD') < before
        order by 1
    loop
        for upto in
            execute 'select shard, max(pos) as pos, max(xid) as xid from outbox where tableoid = '
                || part.name::oid || ' group by shard'
        loop
            select w.cur into head from outbox_window as w
                where w.shard = upto.shard order by w.window_no desc limit 1;
            if head is null or upto.xid >= pg_snapshot_xmin(head.cur) then
                raise exception 'day is not numbered yet';
            end if;
            if (select coalesce(max(w.first_seq + w.n - 1), 0) from outbox_window as w
                where w.shard = upto.shard and w.first_pos <= upto.pos)
                > (select published_seq from outbox_shard where shard = upto.shard)
            then
                raise exception 'day is not published yet';
            end if;
            delete from outbox_window as w using (
                select max(window_no) as newest from outbox_window where shard = upto.shard
            ) as last
            where w.shard = upto.shard and w.first_pos <= upto.pos and w.window_no < last.newest;
        end loop;
        execute 'drop table ' || part.name;
        dropped := dropped + 1;
    end loop;
    return dropped;
end $body$;
comment on function outbox_prune is
    'Drops whole days that are numbered and published, and the windows that named their rows.';

do $body$
declare
    one regprocedure;
begin
    -- They act as the owner: nobody's temporary table may stand before the real one.
    for one in
        select oid from pg_proc
        where oid in ('outbox_ensure_partitions'::regproc, 'outbox_prune'::regproc)
    loop
        execute 'alter function ' || one || ' set search_path = '
            || quote_ident(current_schema()) || ', pg_temp';
    end loop;
end $body$;
"""


def create_sql(shards: int = 4) -> str:
    """Give the SQL that makes outbox and inbox in the schema in use, for its owner to run.

    `shards` is fixed for the life of the service: it decides where a key's facts are numbered.
    Anyone who acts in the service may add a fact; only the service itself reads them.
    """
    assert 1 <= shards <= SHARDS_MAX, "a service has 1 to 16 shards"
    tell = "\n".join(protect(name, read="false", write=None) for name in SERVICE_TABLES)
    tell += "\n".join(_protect_told(name) for name in TOLD_TABLES)
    return f"""
        create function outbox_shards() returns integer
            language sql immutable parallel safe as 'select {shards}';
        comment on function outbox_shards is 'How many shards the outbox has, for life.';
        {OUTBOX}
        {INBOX}
        create table outbox_default partition of outbox default;
        comment on table outbox_default is 'Rows of days that nobody made a partition for.';
        alter table outbox_default enable row level security;
        alter table outbox_default force row level security;
        {FUNCTIONS}
        {tell}
        insert into outbox_shard (shard) select generate_series(0, {shards} - 1);
        select outbox_append_only('outbox'), outbox_append_only('outbox_default'),
            outbox_append_only('outbox_window');
        select outbox_ensure_partitions({DAYS_AHEAD});
    """


def drop_sql() -> str:
    """Give the SQL that takes outbox and inbox away, with every fact in them."""
    return """
        drop function outbox_prune, outbox_ensure_partitions, outbox_append_only;
        drop table outbox, outbox_window, outbox_shard, outbox_scheduled, inbox_cursor,
            inbox_quarantine;
        drop function outbox_shards;
    """


SERVICE_TABLES = ("outbox_window", "outbox_shard", "inbox_cursor", "inbox_quarantine")
TOLD_TABLES = ("outbox", "outbox_scheduled")


def _protect_told(table: str) -> str:
    """Let everybody add, so that a person's own transaction can say what it did."""
    return f"""
        alter table {table} enable row level security;
        alter table {table} force row level security;
        create policy reading on {table} for select using ({IS_SERVICE});
        create policy adding on {table} for insert with check (true);
        create policy changing on {table} for update using ({IS_SERVICE});
        create policy removing on {table} for delete using ({IS_SERVICE});
    """
