-- without a transaction
-- What is in a thread and readers do not see; most of a thread they do.
drop index concurrently if exists comments_unpublished_of_thread;
create index concurrently comments_unpublished_of_thread on comments (site_id, thread_id, id)
  where status <> 'approved';
