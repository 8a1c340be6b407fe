-- without a transaction
-- What only its author sees: few, and looked for whenever somebody with a token reads.
drop index concurrently if exists comments_shadowed;
create index concurrently comments_shadowed on comments (site_id, author_id, thread_id, id)
  where shadowed;
