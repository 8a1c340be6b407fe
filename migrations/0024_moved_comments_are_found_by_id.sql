-- without a transaction
-- Where a comment is now whose id names another thread.
drop index concurrently if exists comments_moved;
create unique index concurrently comments_moved on comments (site_id, id) where home_thread_id is not null;
