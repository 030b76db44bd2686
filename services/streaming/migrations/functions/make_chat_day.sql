create function make_chat_day(p_day date) returns boolean
language plpgsql security definer set search_path from current as $$
declare
    part constant text := 'chat_messages_' || to_char(p_day, 'YYYYMMDD');
begin
    if p_day is null or p_day not between current_date - 400 and current_date + 400 then
        raise exception 'p_day must be near today' using errcode = '22023';
    end if;
    if to_regclass(part) is not null then
        return false;
    end if;
    execute format('create table %I partition of chat_messages for values from (%L) to (%L)',
                   part, p_day, p_day + 1);
    -- Nobody reads a part past the policies of the whole.
    execute format('alter table %I enable row level security', part);
    execute format('alter table %I force row level security', part);
    execute format('comment on table %I is %L', part, 'The chats of streams created on ' || p_day);
    return true;
end $$;
comment on function make_chat_day is
    'Make the partition for the chats of streams created on p_day; false if it was there.';
