-- without a transaction
-- The queue, riskiest first. Most comments are approved and have no flags: they are not in it.
drop index concurrently if exists comments_riskiest;
create index concurrently comments_riskiest on comments (site_id, status, risk, id)
  where status <> 'approved' or flag_count > 0;
