-- without a transaction
-- What an author has written and readers do not see; comments_by_author has the rest.
drop index concurrently if exists comments_unpublished_by_author;
create index concurrently comments_unpublished_by_author on comments (site_id, author_id, thread_id, id)
  where status <> 'approved';
