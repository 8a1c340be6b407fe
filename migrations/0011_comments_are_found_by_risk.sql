-- without a transaction
-- The queue, riskiest first. Most comments are approved: they are not in it.
drop index concurrently if exists comments_riskiest;
create index concurrently comments_riskiest on comments (site_id, status, risk, id)
  where status <> 'approved';
