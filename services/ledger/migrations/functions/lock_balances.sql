-- Locks balances until the transaction ends, sorted, for who must read one to decide: the app role
-- may not lock rows that it may not change. Ask for every account of the posting at once.
create function lock_balances(p_id uuid[])
returns table (account_id uuid, posted bigint, held bigint, flags int)
language plpgsql security definer
set search_path = ledger, pg_temp
set lock_timeout = '2s'
as $$
begin
    perform from balance b where b.account_id = any (p_id) order by b.account_id for no key update;
    -- A statement of its own, so that it sees what others committed while the one above waited.
    return query select b.account_id, b.posted, b.held, b.flags from balance b where b.account_id = any (p_id);
end $$;
