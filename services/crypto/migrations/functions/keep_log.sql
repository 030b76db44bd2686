-- The log is what was: a row may only come to its end, and forget a note.
create function keep_log() returns trigger language plpgsql as $$
declare
    allowed crypto_transactions := old;
begin
    if tg_op = 'DELETE' then
        raise exception 'the log keeps every row' using errcode = 'insufficient_privilege';
    end if;
    if old.status = 'pending' and new.status in ('confirmed', 'failed') then
        allowed.status := new.status;
        allowed.confirmed_at := new.confirmed_at;
    end if;
    if old.tx_hash is null then
        allowed.tx_hash := new.tx_hash;
    end if;
    if old.block_height is null then
        allowed.block_height := new.block_height;
    end if;
    if new.note is null then
        allowed.note := null;
    end if;
    -- Computed columns are not there yet in a BEFORE trigger.
    allowed.amount := new.amount;
    allowed.fee := new.fee;
    if new is distinct from allowed then
        raise exception 'the log is not rewritten' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
comment on function keep_log is
    'Refuses all changes of the log but pending to its end, hash and height once, note to null.';
