-- Keeps updated_at at the row's last change.
create function update_updated_at_column() returns trigger language plpgsql as $$
begin
    new.updated_at := clock_timestamp();
    return new;
end $$;
comment on function update_updated_at_column is 'Keeps updated_at at the row''s last change.';
