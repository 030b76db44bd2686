-- An edited row, by the API or by hand, is noted, and reaches everybody on that plan.
create function note_plan_feature_change() returns trigger language plpgsql as $$
declare
    changed plan_features := coalesce(new, old);
    change uuid := uuidv7();
begin
    if new is not distinct from old then
        return new;
    end if;
    -- Who computes entitlements holds this shared: once it is ours, everybody who read the old
    -- row has committed and is found by the refresh, and everybody later reads the new one.
    perform pg_advisory_xact_lock('plan_features'::regclass::oid::bigint);
    if tg_op = 'UPDATE' then
        new.row_version := old.row_version + 1;
    end if;
    insert into plan_feature_changes (id, plan_id, feature_key, before, after)
        values (change, changed.plan_id, changed.feature_key,
                case when tg_op = 'INSERT' then null else to_jsonb(old) end,
                case when tg_op = 'DELETE' then null else to_jsonb(new) end);
    insert into entitlement_refreshes (change_id, plan_id) values (change, changed.plan_id);
    return case when tg_op = 'DELETE' then old else new end;
end $$;
comment on function note_plan_feature_change is
    'Notes a change of plan_features and asks for a refresh of everybody on that plan.';
