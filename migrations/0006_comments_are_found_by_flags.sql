-- without a transaction
-- The queue, most flagged first. Most comments are approved and have no flags: they are not in it.
drop index concurrently if exists comments_flagged;
create index concurrently comments_flagged on comments (site_id, status, flag_count, id)
  where status <> 'approved' or flag_count > 0;
