-- The law of the books: what a transaction takes somewhere, it gives somewhere else.
create function require_zero_sum() returns trigger language plpgsql as $$
begin
    if exists (select from added group by transaction_id, token having sum(delta_base) <> 0) then
        raise exception 'entries do not sum to zero' using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end $$;
comment on function require_zero_sum is
    'Refuses entries that do not sum to zero per transaction and token.';
