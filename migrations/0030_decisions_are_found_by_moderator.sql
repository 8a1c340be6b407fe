-- without a transaction
-- The audit trail of one moderator.
drop index concurrently if exists decisions_by;
create index concurrently decisions_by on decisions (site_id, decided_by, id);
