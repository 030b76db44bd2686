-- Takes the flags in p_clear off these balances and puts those in p_set on: freezing and thawing.
create function flag_balances(p_id uuid[], p_clear int, p_set int) returns void
language plpgsql security definer
set search_path = ledger, pg_temp
set lock_timeout = '2s'
as $$
begin
    perform from balance b where b.account_id = any (p_id) order by b.account_id for no key update;
    update balance b set flags = (b.flags & ~p_clear) | p_set where b.account_id = any (p_id);
end $$;
