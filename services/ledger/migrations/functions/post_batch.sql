-- Posts a batch of transactions in one round trip; the only writer of entry and transaction, and
-- the only one that changes what a balance holds.
--
-- p_*     one element a transaction, in the order in which they arrived
-- a_id    the accounts that the batch touches, each once; a leg names its account by slot, from 1
-- l_*     one element a leg, grouped by transaction in the order of p_id; a transaction names an
--         account once. l_amt is added to posted, l_hold to held.
--
-- Answers one row a transaction. A key that was answered before is answered from what is stored,
-- whatever this call asks; if it asks something else, `other_hash` is what was asked then.
--
-- Tables are reached by `= any (a_id)` alone, never by a join, so that PostgreSQL has no reason to
-- read a whole one: what it joins is in memory. {name} is the face for {batches} batches.
create function {name}(
    p_id uuid[], p_key uuid[], p_hash bytea[], p_kind text[], p_force bool[], p_ref text[],
    p_meta jsonb[], p_actor uuid[], p_reverses uuid[],
    a_id uuid[],
    l_tx int[], l_slot int[], l_amt bigint[], l_hold bigint[]
) returns table (
    n bigint, resource_id uuid, is_new bool, other_hash bytea, problem jsonb, created_at timestamptz,
    account_ids uuid[], amounts bigint[], seqs bigint[], balances_after bigint[]
)
language plpgsql security definer
set search_path = ledger, pg_temp
set lock_timeout = '2s'
set plan_cache_mode = {plan_cache_mode}
set enable_nestloop = {enable_nestloop}
as $$
#variable_conflict use_column
declare
    fresh bool[];                    -- by transaction: nobody claimed its key before
    bad int[];                       -- by transaction: the verdict that refused it, or 0
    blamed int[];                    -- by transaction: the slot that the verdict is about
    need bigint[]; have bigint[];    -- by transaction: what was asked of it, and what was there
    avail bigint[]; post bigint[]; lo bigint[]; hi bigint[]; fl int[];    -- by slot
    ts timestamptz;
    stands bool[];                   -- by transaction: fresh, and not refused
    refusals bool := false;
    first_leg int; leg int := 1; slot int;
begin
    if exists (select from unnest(l_tx, l_amt) l (t, amount) group by t having sum(amount) <> 0) then
        raise exception 'a transaction of this batch does not sum to zero';
    end if;

    -- 1 Claim the keys. Sorted, so that two batches cannot deadlock on them; a key in flight
    -- elsewhere is waited for.
    with claimed as (
        insert into idempotency (key, request_hash, resource_id)
        select u.key, u.hash, u.id from unnest(p_key, p_hash, p_id) u (key, hash, id) order by u.key
        on conflict do nothing
        returning key
    )
    select array_agg(claimed.key is not null order by u.n) into fresh
    from unnest(p_key) with ordinality u (key, n) left join claimed on claimed.key = u.key;

    -- 2 Lock the balances. A statement of its own: under READ COMMITTED only the next statement
    -- sees what others committed while this one waited.
    perform from balance b where b.account_id = any (a_id) order by b.account_id for no key update;

    -- 3 Read them into arrays. `offset 0` keeps the planner from hashing the whole table. The time
    -- never goes back for an account, whatever the clock does.
    select array_agg(b.posted - b.held order by x.n), array_agg(b.posted order by x.n),
           array_agg(b.floor order by x.n), array_agg(b.ceiling order by x.n),
           array_agg(b.flags order by x.n), greatest(clock_timestamp(), max(b.updated_at))
    into avail, post, lo, hi, fl, ts
    from unnest(a_id) with ordinality x (id, n)
    left join (select * from balance where account_id = any (a_id) offset 0) b on b.account_id = x.id;

    -- 4 Decide all at once. Only if somebody must be refused: one by one in the order of arrival,
    -- in memory, without savepoints.
    stands := fresh;
    if exists (
        select from (
            select l.*, sum(l.amount - l.hold) over w as more, sum(l.amount) over w as put
            from unnest(l_tx, l_slot, l_amt, l_hold) l (t, s, amount, hold)
            where fresh[l.t]
            window w as (partition by l.s order by l.t)
        ) r
        where verdict(r.amount, r.hold, (avail[r.s] + r.more)::bigint, (post[r.s] + r.put)::bigint,
                      lo[r.s], hi[r.s], fl[r.s], p_force[r.t]) > 0
    ) then
        refusals := true;
        bad := array_fill(0, array[cardinality(p_id)]);
        blamed := bad;
        need := array_fill(0::bigint, array[cardinality(p_id)]);
        have := need;
        for t in 1 .. cardinality(p_id) loop
            first_leg := leg;
            while leg <= cardinality(l_tx) and l_tx[leg] = t loop
                if fresh[t] and bad[t] = 0 then
                    slot := l_slot[leg];
                    avail[slot] := avail[slot] + l_amt[leg] - l_hold[leg];
                    post[slot] := post[slot] + l_amt[leg];
                    bad[t] := verdict(l_amt[leg], l_hold[leg], avail[slot], post[slot],
                                      lo[slot], hi[slot], fl[slot], p_force[t]);
                    if bad[t] > 0 then
                        for undone in first_leg .. leg loop
                            avail[l_slot[undone]] := avail[l_slot[undone]] - l_amt[undone] + l_hold[undone];
                            post[l_slot[undone]] := post[l_slot[undone]] - l_amt[undone];
                        end loop;
                        stands[t] := false;
                        blamed[t] := slot;
                        need[t] := l_hold[leg] - l_amt[leg];
                        have[t] := avail[slot] - lo[slot];
                    end if;
                end if;
                leg := leg + 1;
            end loop;
        end loop;
    end if;

    -- 5 Apply what stands: one UPDATE an account, one INSERT a table; the receipts are the answer.
    return query
    with l as materialized (
        select l.* from unnest(l_tx, l_slot, l_amt, l_hold) with ordinality l (t, s, amount, hold, o)
        where stands[l.t]
    ),
    moved as (
        update balance b
        set posted = b.posted + d.amount, held = b.held + d.hold, seq = b.seq + d.entries, updated_at = ts
        from (
            select a.id, l.s, sum(l.amount)::bigint as amount, sum(l.hold)::bigint as hold,
                   count(*) filter (where l.amount <> 0) as entries
            from l join unnest(a_id) with ordinality a (id, s) on a.s = l.s
            group by a.id, l.s
        ) d
        where b.account_id = d.id and b.account_id = any (a_id)
        returning d.s, b.account_id, b.posted - d.amount as before, b.posted as after, b.seq - d.entries as seq_before
    ),
    line as materialized (
        select l.t, l.o, moved.account_id, l.amount, moved.seq_before + row_number() over w as seq,
               (moved.before + sum(l.amount) over w)::bigint as balance_after
        from l join moved on moved.s = l.s
        where l.amount <> 0
        window w as (partition by l.s order by l.o rows unbounded preceding)
    ),
    entries as (
        insert into entry (account_id, seq, transaction_id, amount, balance_after, created_at)
        select line.account_id, line.seq, u.id, line.amount, line.balance_after, ts
        from line join unnest(p_id) with ordinality u (id, n) on u.n = line.t
    ),
    crossed as (
        insert into monitor_hits (monitor_id, before, after, created_at)
        select m.id, moved.before, moved.after, ts
        from moved join balance_monitors m on m.account_id = moved.account_id
        where m.account_id = any (a_id) and (moved.before < m.threshold) <> (moved.after < m.threshold)
          and (m.op = 'above') = (moved.after > moved.before)
    ),
    made as (
        insert into transaction (id, kind, reference, metadata, actor_id, reverses,
                                 account_ids, amounts, seqs, balances_after, created_at)
        select u.id, u.kind, u.reference, u.metadata, u.actor_id, u.reverses,
               e.account_ids, e.amounts, e.seqs, e.balances_after, ts
        from (
            select line.t, array_agg(line.account_id order by line.o) as account_ids,
                   array_agg(line.amount order by line.o) as amounts,
                   array_agg(line.seq order by line.o) as seqs,
                   array_agg(line.balance_after order by line.o) as balances_after
            from line group by line.t
        ) e
        join unnest(p_id, p_kind, p_ref, p_meta, p_actor, p_reverses)
            with ordinality u (id, kind, reference, metadata, actor_id, reverses, n) on u.n = e.t
        returning transaction.id, transaction.account_ids, transaction.amounts, transaction.seqs,
                  transaction.balances_after
    )
    select u.n, u.id, true, null::bytea, null::jsonb, ts,
           made.account_ids, made.amounts, made.seqs, made.balances_after
    from unnest(p_id) with ordinality u (id, n) left join made on made.id = u.id
    where stands[u.n];

    -- 6 Burn the keys of the refused, with the reason.
    if refusals then
        update idempotency i
        set problem = jsonb_strip_nulls(jsonb_build_object(
            'code', (array['account.unknown', 'account.closed', 'account.frozen',
                           'account.insufficient_funds', 'account.limit_exceeded'])[bad[u.n]],
            'account_id', a_id[blamed[u.n]],
            'available', case bad[u.n] when 4 then have[u.n] end,
            'needed', case bad[u.n] when 4 then need[u.n] end,
            'ceiling', case bad[u.n] when 5 then hi[blamed[u.n]] end))
        from unnest(p_key) with ordinality u (key, n)
        where i.key = u.key and i.key = any (p_key) and bad[u.n] > 0;
    end if;

    -- 7 Answer every other key from what is stored: the refused, and those claimed before.
    if not (true = all (stands)) then
        return query
        select u.n, i.resource_id, fresh[u.n], nullif(i.request_hash, u.hash), i.problem, x.created_at,
               x.account_ids, x.amounts, x.seqs, x.balances_after
        from unnest(p_key, p_hash) with ordinality u (key, hash, n)
        join (select * from idempotency where key = any (p_key) offset 0) i on i.key = u.key
        left join lateral (select * from transaction where id = i.resource_id offset 0) x on true
        where not stands[u.n];
    end if;
end $$;
