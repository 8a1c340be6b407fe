-- without a transaction
-- Answers name a person as their author, or by its id alone; both are forgotten with it.
drop index concurrently if exists idempotency_keys_person;
create index concurrently idempotency_keys_person on idempotency_keys
  (site_id, (coalesce(answer #>> '{body,author,id}', answer #>> '{body,author_id}')));
