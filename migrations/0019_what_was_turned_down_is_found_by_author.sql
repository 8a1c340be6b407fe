-- without a transaction
-- What was lately turned down of an author, when it writes again.
drop index concurrently if exists comments_turned_down_by_author;
create index concurrently comments_turned_down_by_author on comments (site_id, author_id, created_at)
  where status in ('spam', 'rejected');
