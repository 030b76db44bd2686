create function rank_gifts(p_scope text, p_metric text, p_period text, p_window_start timestamptz,
                           p_scope_ids uuid[])
returns int
language plpgsql security invoker as $$
declare
    boards int;
begin
    if p_scope is null or p_metric is null or p_period is null or p_window_start is null
       or p_scope_ids is null then
        raise exception 'every argument must be given' using errcode = '22023';
    end if;
    with fresh as (
        select t.scope_id, row_number() over ranked as rank, t.profile_id, t.coins, t.gifts,
               t.reached_at
          from unnest(p_scope_ids) as asked(scope_id), lateral (
            select * from gift_totals g
             where g.scope = p_scope and g.scope_id = asked.scope_id and g.metric = p_metric
               and g.period = p_period and g.window_start = p_window_start and g.coins > 0
             order by g.coins desc, g.reached_at, g.profile_id limit 100
          ) t
        window ranked as (partition by t.scope_id order by t.coins desc, t.reached_at, t.profile_id)
    ), known as (
        select * from leaderboard_cache c
         where c.scope = p_scope and c.scope_id = any (p_scope_ids) and c.metric = p_metric
           and c.period = p_period and c.window_start = p_window_start
    ), moved as (
        select scope_id, coalesce(max(k.version), 0) + 1 as version
          from fresh f full join known k using (scope_id, rank, profile_id, coins, gifts, reached_at)
         group by scope_id
        having count(*) filter (where f is null or k is null) > 0
    ), dropped as (
        delete from leaderboard_cache c using moved m
         where c.scope = p_scope and c.scope_id = m.scope_id and c.metric = p_metric
           and c.period = p_period and c.window_start = p_window_start
           and not exists (select from fresh f where f.scope_id = c.scope_id and f.rank = c.rank)
    ), written as (
        insert into leaderboard_cache as c (scope, scope_id, metric, period, window_start, rank,
            profile_id, coins, gifts, reached_at, version, computed_at)
        select p_scope, f.scope_id, p_metric, p_period, p_window_start, f.rank, f.profile_id,
               f.coins, f.gifts, f.reached_at, m.version, clock_timestamp()
          from fresh f join moved m using (scope_id)
        on conflict (scope, scope_id, metric, period, window_start, rank) do update
           set profile_id = excluded.profile_id, coins = excluded.coins, gifts = excluded.gifts,
               reached_at = excluded.reached_at, version = excluded.version,
               computed_at = excluded.computed_at
    )
    select count(*) into boards from moved;
    return boards;
end $$;
comment on function rank_gifts is
    'Write the first 100 of each board again where it moved; gives how many boards did.';
