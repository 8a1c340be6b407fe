-- Background work that any node does.

-- One row per job; its end deletes it. A job that was given up stays, with failed_at, until an operator
-- retries it or retention deletes it.
create table jobs (
  site_id int not null,                                  -- 0: a job of the whole service
  kind text not null,                                    -- a node takes only the kinds that it knows
  key text not null,                                     -- what the job is about
  payload jsonb not null,
  version int not null default 1,                        -- grows when the job is enqueued again
  enqueued_at timestamptz not null,
  due_at timestamptz not null,
  attempts int not null default 0,                       -- how often it was taken since its last progress
  done int not null default 0,                           -- comments, threads or items processed so far
  lease uuid,                                            -- set while a node runs the job
  leased_until timestamptz,                              -- from then on another node can take the job
  last_error text,
  failed_at timestamptz,                                 -- when it was given up
  primary key (site_id, kind, key)
);
create index jobs_due on jobs (kind, due_at) where failed_at is null;
create index jobs_failed on jobs (failed_at) where failed_at is not null;
