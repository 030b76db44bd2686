-- Looked at when the transaction ends: an organisation that subscribed has exactly one live row.
create function require_one_live() returns trigger language plpgsql as $$
declare
    org uuid := coalesce(new.org_id, old.org_id);
begin
    if (select count(*) from org_subscriptions
        where org_id = org and status in ('trialing', 'active', 'past_due', 'paused', 'unpaid')) <> 1
    then
        raise exception 'organisation % must have exactly one live subscription', org
            using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end $$;
comment on function require_one_live is
    'Refuses a transaction that leaves an organisation without its one live subscription.';
