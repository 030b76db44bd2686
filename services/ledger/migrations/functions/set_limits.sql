-- Gives a balance other limits, and takes flags off and puts them on; null leaves a limit as it is.
-- Tells nothing: a balance that is outside already is refused by its own check.
create function set_limits(p_id uuid, p_floor bigint, p_ceiling bigint, p_clear int, p_set int) returns void
language sql security definer
set search_path = ledger, pg_temp
set lock_timeout = '2s'
as $$
update balance set floor = coalesce(p_floor, floor), ceiling = coalesce(p_ceiling, ceiling),
                   flags = (flags & ~p_clear) | p_set
where account_id = p_id
$$;
