-- without a transaction
-- Threads that the days of their site close.
drop index concurrently if exists threads_by_age;
create index concurrently threads_by_age on threads (site_id, created_at);
