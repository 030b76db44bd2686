create function update_publish_state_from_viewers(
    p_box_ids uuid[] default null,
    p_timeout interval default '30 seconds',
    p_linger interval default '10 seconds',
    p_on_only boolean default false
) returns setof box_transitions
language plpgsql security invoker as $$
declare
    at_now constant timestamptz := clock_timestamp();
begin
    if p_timeout is null or p_timeout <= interval '0' then
        raise exception 'p_timeout must be more than nothing' using errcode = '22023';
    end if;
    if p_linger is null or p_linger < interval '0' or p_on_only is null then
        raise exception 'p_linger and p_on_only must be given' using errcode = '22023';
    end if;

    return query
    with locked as (
        select b.id, b.is_published, b.vacant_since, b.cell, b.cell_epoch,
               s.status = 'live' and b.status = 'open' and b.publish_policy = 'demand' as allowed
          from video_boxes b join live_streams s on s.id = b.stream_id
         where (p_box_ids is null or b.id = any (p_box_ids))
           and (b.status = 'open' or b.is_published)
         order by b.id for update of b
    ), seen as (
        select l.*, (
            select count(distinct v.viewer_id) from box_viewers v
             where v.cell = l.cell and v.box_id = l.id and v.last_active_at >= at_now - p_timeout
        ) as viewers
          from locked l
    ), decided as (
        select seen.*,
               case
                   when not allowed then false
                   when viewers > 0 then true
                   when not is_published then false
                   when p_on_only then true
                   else vacant_since is null or vacant_since > at_now - p_linger
               end as desired
          from seen
    ), changed as (
        update video_boxes b
           set is_published = d.desired,
               publish_version = b.publish_version + (d.desired <> d.is_published)::int,
               publish_reason =
                   case when d.desired <> d.is_published then 'reconciled' else b.publish_reason end,
               publish_changed_at =
                   case when d.desired <> d.is_published then at_now else b.publish_changed_at end,
               cell_epoch = case when d.desired <> d.is_published
                   then coalesce((select epoch from presence_cell_leases where cell = d.cell), 0)
                   else b.cell_epoch end,
               vacant_since = case when d.desired and d.viewers = 0
                   then coalesce(b.vacant_since, at_now) end,
               viewer_count = d.viewers,
               updated_at = at_now
          from decided d
         where b.id = d.id
           and (d.desired <> d.is_published
                or b.vacant_since is distinct from
                   case when d.desired and d.viewers = 0 then coalesce(b.vacant_since, at_now) end)
        returning b.id, b.publish_version, b.is_published, d.is_published as was, d.viewers,
                  b.cell_epoch
    )
    insert into box_transitions (box_id, publish_version, is_published, reason, viewers,
                                 cell_epoch, at)
    select c.id, c.publish_version, c.is_published, 'reconciled', c.viewers, c.cell_epoch, at_now
      from changed c
     where c.is_published <> c.was
    returning box_transitions.*;
end $$;
comment on function update_publish_state_from_viewers is
    'Make is_published agree with box_viewers: on with a fresh viewer, off after p_linger without '
    'one, unless p_on_only. Returns what changed. Called every 10 s, not on every viewer change.';
