-- Says whether one leg may stand: 0, or the number of the first rule it breaks.
-- flags: 2 no debit, 4 no credit (by the owner's state); 16, 32 the same by staff; 8 closed.
create function verdict(
    amount bigint, held bigint,              -- what the leg adds to posted and to held
    available bigint, posted bigint,         -- what would stand after it
    lo bigint, hi bigint, flags int, force bool
) returns int language sql immutable parallel safe as $$
select case
    when flags is null then 1                                                  -- account.unknown
    when flags & 8 <> 0 then 2                                                 -- account.closed
    when not force and ((amount - held < 0 and flags & 18 <> 0)
                        or (amount > 0 and flags & 36 <> 0)) then 3            -- account.frozen
    when amount - held < 0 and available < lo then 4                           -- account.insufficient_funds
    when amount > 0 and posted > hi then 5                                     -- account.limit_exceeded
    else 0
end $$;
