-- without a transaction
-- What is done seldom: most decisions give a comment another status.
drop index concurrently if exists decisions_rare;
create index concurrently decisions_rare on decisions (site_id, action, id)
  where action <> 'status';
