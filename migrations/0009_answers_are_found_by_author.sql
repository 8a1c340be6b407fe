-- without a transaction
-- Answers that hold what an author wrote, or its name: they are forgotten with it.
drop index concurrently if exists idempotency_keys_author;
create index concurrently idempotency_keys_author on idempotency_keys
  (site_id, (answer #>> '{body,author,id}'));
