-- without a transaction
-- What was held of late, to judge it once more by another policy; comments_recent has the rest.
drop index concurrently if exists comments_held_by_time;
create index concurrently comments_held_by_time on comments (site_id, created_at, id)
  where status <> 'approved';
