-- What may this organisation use of a feature: for reports and for tools that speak SQL.
create function check_feature_access(p_user_id uuid, p_feature_key text, p_org_id uuid)
returns jsonb language sql stable as $$
with snapshot as (
    select plan, limits, features, statics, version from entitlement_snapshots
    where org_id = p_org_id
    union all
    -- An organisation that we have not heard of has what Free has.
    select plan, limits, features, statics, version from free_snapshot()
    where not exists (select from entitlement_snapshots where org_id = p_org_id)
),
-- Each user of an organisation counts against the same window; AI budgets of users come with quota.
counted as (
    select coalesce(sum(used), 0)::bigint as used, coalesce(sum(reserved), 0)::bigint as reserved
    from quota_windows
    where org_id = p_org_id and feature_key = p_feature_key and scope_kind = 'org'
        and window_start <= now() and (window_end is null or window_end > now())
)
select jsonb_strip_nulls(jsonb_build_object(
    'limit', limits -> p_feature_key,
    'allowed', coalesce(features -> p_feature_key,
        to_jsonb((limits ->> p_feature_key)::bigint = -1
                 or used + reserved < (limits ->> p_feature_key)::bigint)),
    'static', statics -> p_feature_key,
    'used', case when limits ? p_feature_key then greatest(used, 0) end,
    'reserved', case when limits ? p_feature_key then reserved end,
    'plan', plan,
    'snapshot_version', version
))
from snapshot, counted
where limits ? p_feature_key or features ? p_feature_key or statics ? p_feature_key
$$;
comment on function check_feature_access(uuid, text, uuid) is
    'What an organisation may use of a feature; null for a feature that does not exist.';
