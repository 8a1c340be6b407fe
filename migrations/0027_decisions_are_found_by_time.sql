-- without a transaction
-- Where the audit trail of some days begins and ends, and all that their figures are made of.
drop index concurrently if exists decisions_at;
create index concurrently decisions_at on decisions (site_id, decided_at, id)
  include (action, to_status, decided_by, held_ms, undoes);
