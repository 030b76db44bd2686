create function cleanup_stale_viewers(
    p_timeout interval default '30 seconds',
    p_limit int default 10000,
    p_cells smallint[] default null
) returns setof box_viewers
language plpgsql security invoker as $$
begin
    if p_timeout is null or p_timeout <= interval '0' then
        raise exception 'p_timeout must be more than nothing' using errcode = '22023';
    end if;
    if p_limit is null or p_limit not between 1 and 100000 then
        raise exception 'p_limit must be between 1 and 100000' using errcode = '22023';
    end if;
    -- In the order of the key, as every other writer of many rows here: no deadlock.
    return query
    with stale as (
        select session_id from box_viewers
         where last_active_at < clock_timestamp() - p_timeout
           and (p_cells is null or cell = any (p_cells))
         order by session_id limit p_limit for update
    )
    delete from box_viewers using stale
     where box_viewers.session_id = stale.session_id
    returning box_viewers.*;
end $$;
comment on function cleanup_stale_viewers is
    'Delete and return the viewings that were not heard of for p_timeout. Called every 30 s.';
