-- What Free allows now: for organisations that nobody told us of yet.
create function free_snapshot()
returns table (plan text, limits jsonb, features jsonb, statics jsonb, version bigint)
language sql stable as $$
select plans.code,
    jsonb_object_agg(feature_key, limit_value) filter (where limit_value is not null),
    (select flags from plan_features where plan_id = plans.id and feature_key = 'features'),
    '{}'::jsonb,
    0::bigint
from plans join plan_features on plan_id = plans.id
where plans.id = (select id from plans where code = 'free' and state = 'published'
                  order by version desc limit 1)
group by plans.id
$$;
comment on function free_snapshot is 'What Free allows now; version 0 marks it as nobody''s own.';
