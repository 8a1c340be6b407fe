-- without a transaction
-- The audit trail of one author.
-- What was decided before it was kept whose comment it is has no author.
drop index concurrently if exists decisions_of_author;
create index concurrently decisions_of_author on decisions (site_id, author_id, id)
  where author_id is not null;
