-- Deleting the thread of an article: its comments are hidden immediately, and a job deletes the rows.

alter table threads add column deleted_at timestamptz(3);      -- its article has no thread any more
