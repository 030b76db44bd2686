-- Opens the accounts that are not open yet, each with an empty balance, and answers their ids.
create function open_accounts(
    p_id uuid[], p_owner_type text[], p_owner_id uuid[], p_dao_id uuid[], p_asset text[],
    p_purpose text[], p_shard int[], p_floor bigint[], p_ceiling bigint[], p_flags int[]
) returns setof uuid
language sql security definer
set search_path = ledger, pg_temp
as $$
with u as (
    select * from unnest(p_id, p_owner_type, p_owner_id, p_dao_id, p_asset, p_purpose, p_shard,
                         p_floor, p_ceiling, p_flags)
        u (id, owner_type, owner_id, dao_id, asset, purpose, shard, floor, ceiling, flags)
),
opened as (
    insert into account (id, owner_type, owner_id, dao_id, asset, purpose, shard)
    select id, owner_type, owner_id, dao_id, asset, purpose, shard from u order by id
    on conflict (id) do nothing
    returning id
)
insert into balance (account_id, floor, ceiling, flags)
select u.id, u.floor, u.ceiling, u.flags from u join opened using (id) order by u.id
returning account_id
$$;
