-- without a transaction
-- Threads whose own time to close is coming or has passed.
drop index concurrently if exists threads_closing;
create index concurrently threads_closing on threads (closes_at) where closes_at is not null;
