-- Writes one transaction and its entries, and moves the balances: the only way in which a balance
-- changes. Gives no row when it is done. A row says who has too little, and how much there is;
-- then the caller must roll back.
create function post(
    p_transaction jsonb, p_wallet uuid[], p_house text[], p_bucket text[], p_token text[],
    p_delta numeric[]
) returns table (lacking_wallet uuid, lacking_house text, lacking_token text, holds numeric)
language plpgsql security definer
-- Only the service itself may call it: row security hides the other side from everybody else.
set search_path from current
as $$
#variable_conflict use_column
declare
    r crypto_transactions := jsonb_populate_record(null::crypto_transactions, p_transaction);
    home smallint := mod(hashtextextended(r.id::text, 0) & 2147483647, 16);
    leg record;
    slots record;
    missing numeric;
    -- What was taken from and given to slots of the house: account, slot, token, delta.
    drawn_house text[] := '{}';
    drawn_slot smallint[] := '{}';
    drawn_token text[] := '{}';
    drawn_delta numeric[] := '{}';
begin
    -- One order for all, so that two payments across each other never wait for each other.
    insert into token_balances (wallet_id, token, unit)
        select distinct side.wallet_id, t.token, t.unit
        from unnest(p_wallet, p_token) as side (wallet_id, token)
        join tokens t on t.token = side.token
        where side.wallet_id is not null
        order by 1, 2
        on conflict do nothing;
    perform from token_balances b
        where (b.wallet_id, b.token) in (select * from unnest(p_wallet, p_token))
        order by b.wallet_id, b.token for update;

    for leg in
        select b.wallet_id, b.token, b.available_base,
            coalesce(sum(e.delta) filter (where e.bucket = 'available'), 0) as available,
            coalesce(sum(e.delta) filter (where e.bucket = 'held'), 0) as held,
            coalesce(sum(e.delta) filter (where e.bucket = 'staked'), 0) as staked
        from unnest(p_wallet, p_bucket, p_token, p_delta) as e (wallet_id, bucket, token, delta)
        join token_balances b on b.wallet_id = e.wallet_id and b.token = e.token
        group by b.wallet_id, b.token, b.available_base order by b.wallet_id, b.token
    loop
        if leg.available_base + leg.available < 0 then
            return query select leg.wallet_id, null::text, leg.token::text, leg.available_base;
            return;
        end if;
        -- Less than nothing held or staked would be a bug of ours: the table refuses it.
        update token_balances b
        set available_base = b.available_base + leg.available, held_base = b.held_base + leg.held,
            staked_base = b.staked_base + leg.staked, updated_at = clock_timestamp()
        where b.wallet_id = leg.wallet_id and b.token = leg.token;
    end loop;

    for leg in
        select e.house, e.token, sum(e.delta) as delta
        from unnest(p_house, p_token, p_delta) as e (house, token, delta)
        where e.house is not null
        group by e.house, e.token having sum(e.delta) <> 0 order by e.house, e.token
    loop
        if leg.delta > 0 or leg.house in ('issuance', 'gas') or leg.house like 'chain:%' then
            insert into house_balances as b (account, token, slot, balance_base)
                values (leg.house, leg.token, home, leg.delta)
                on conflict (account, token, slot)
                do update set balance_base = b.balance_base + excluded.balance_base;
            drawn_house := drawn_house || leg.house;
            drawn_slot := drawn_slot || home;
            drawn_token := drawn_token || leg.token::text;
            drawn_delta := drawn_delta || leg.delta;
            continue;
        end if;
        -- An update that waited and then found too little keeps its row locked. In a block of its
        -- own it is undone, lock and all: else two of these, going on to all slots, would each
        -- hold one that the other waits for.
        begin
            update house_balances b set balance_base = b.balance_base + leg.delta
                where b.account = leg.house and b.token = leg.token and b.slot = home
                    and b.balance_base + leg.delta >= 0;
            if not found then
                raise exception using errcode = 'HZDRY';
            end if;
            drawn_house := drawn_house || leg.house;
            drawn_slot := drawn_slot || home;
            drawn_token := drawn_token || leg.token::text;
            drawn_delta := drawn_delta || leg.delta;
            continue;
        exception when sqlstate 'HZDRY' then
            null;
        end;
        -- Its own slot is dry: all are locked in order, and emptied until it is enough.
        missing := -leg.delta;
        for slots in
            select b.slot, b.balance_base from house_balances b
            where b.account = leg.house and b.token = leg.token order by b.slot for update
        loop
            continue when slots.balance_base = 0 or missing = 0;
            update house_balances b
                set balance_base = b.balance_base - least(slots.balance_base, missing)
                where b.account = leg.house and b.token = leg.token and b.slot = slots.slot;
            drawn_house := drawn_house || leg.house;
            drawn_slot := drawn_slot || slots.slot;
            drawn_token := drawn_token || leg.token::text;
            drawn_delta := drawn_delta || -least(slots.balance_base, missing);
            missing := missing - least(slots.balance_base, missing);
        end loop;
        if missing > 0 then
            return query select null::uuid, leg.house::text, leg.token::text, -leg.delta - missing;
            return;
        end if;
    end loop;

    insert into crypto_transactions (id, from_wallet_id, to_wallet_id, from_owner, to_owner,
        from_address, to_address, token, unit, amount_base, fee_base, chain, tx_hash, status, type,
        metadata, note, block_height, confirmed_at, created_at)
    select r.id, r.from_wallet_id, r.to_wallet_id, r.from_owner, r.to_owner, r.from_address,
        r.to_address, r.token, t.unit, r.amount_base, coalesce(r.fee_base, 0), r.chain, r.tx_hash,
        r.status, r.type, coalesce(r.metadata, '{}'), r.note, r.block_height, r.confirmed_at,
        r.created_at
    from tokens t where t.token = r.token;

    -- In one statement, because the law of the books is judged per statement.
    insert into token_entries
        (transaction_id, n, wallet_id, house, slot, bucket, token, delta_base)
    select r.id, row_number() over (), e.wallet_id, e.house, e.slot, e.bucket, e.token, e.delta
    from (
        select w.wallet_id, null::text as house, null::smallint as slot, w.bucket, w.token, w.delta
        from unnest(p_wallet, p_bucket, p_token, p_delta) as w (wallet_id, bucket, token, delta)
        where w.wallet_id is not null
        union all
        select null, d.house, d.slot, 'available', d.token, d.delta
        from unnest(drawn_house, drawn_slot, drawn_token, drawn_delta)
            as d (house, slot, token, delta)
    ) as e;
end $$;
comment on function post is
    'Writes one transaction, its entries and its balances; gives a row when somebody has too little.';
