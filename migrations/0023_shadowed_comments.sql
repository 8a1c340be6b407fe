-- without a transaction
-- Every request of a guest or member asks whether the author has a shadowed comment. Few comments are shadowed, so
-- other comments cost this index nothing.

drop index if exists comments_shadowed;
create index concurrently comments_shadowed on comments (site_id, author_id) where shadowed;
