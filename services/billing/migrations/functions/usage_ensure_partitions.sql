-- A function, because partitions are made by a timer, who does not own the tables.
create function usage_ensure_partitions(months_ahead integer) returns integer
language plpgsql security definer set search_path from current set lock_timeout = '2s' as $$
declare
    this date := date_trunc('month', now() at time zone 'utc')::date;
    one date;
    name text;
    made integer := 0;
begin
    perform pg_advisory_xact_lock('usage_events'::regclass::oid::bigint);
    for one in
        select (this + make_interval(months => ahead))::date
        from generate_series(0, least(months_ahead, 12)) as ahead
    loop
        name := 'usage_events_' || to_char(one, 'YYYYMM');
        -- A month that already has rows in the default partition stays there.
        continue when to_regclass(name) is not null
            or exists (select from usage_events_default where received_month = one);
        execute 'create table ' || name || ' partition of usage_events for values from ('
            || quote_literal(one) || ') to ('
            || quote_literal((one + interval '1 month')::date) || ')';
        execute 'comment on table ' || name || ' is ''One month of usage_events.''';
        execute 'alter table ' || name || ' enable row level security';
        execute 'alter table ' || name || ' force row level security';
        execute 'revoke update, delete, truncate on ' || name || ' from billing';
        made := made + 1;
    end loop;
    return made;
end $$;
comment on function usage_ensure_partitions is
    'Makes the partitions of this month and of months ahead; gives how many.';
