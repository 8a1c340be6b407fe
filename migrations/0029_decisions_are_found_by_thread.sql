-- without a transaction
-- The audit trail of one article.
drop index concurrently if exists decisions_of_thread;
create index concurrently decisions_of_thread on decisions (site_id, thread_id, id)
  where thread_id is not null;
