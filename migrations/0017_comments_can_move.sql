-- A comment can move to another thread and keep its id, which names the thread where it was written.
-- Decisions name a comment by its id for ever; arrivals say where it arrived.

alter table comments
  add column home_thread_id bigint,                      -- null: the thread that it is in
  add column parent_home_thread_id bigint;               -- the same of its parent

-- Votes and flags go along. What is there already fits: the old constraints held it.
alter table votes
  drop constraint votes_comment,
  add constraint votes_comment foreign key (site_id, thread_id, comment_id)
    references comments (site_id, thread_id, id) on update cascade not valid;
alter table flags
  drop constraint flags_comment,
  add constraint flags_comment foreign key (site_id, thread_id, comment_id)
    references comments (site_id, thread_id, id) on update cascade not valid;
