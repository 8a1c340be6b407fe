-- A comment can move to another thread and keep its id, which names the thread where it was written.

alter table comments
  add column home_thread_id bigint,                      -- null: the thread that it is in
  add column parent_home_thread_id bigint;               -- the same of its parent

-- Where those are now that are not where their ids say.
create table moves (
  site_id int not null,
  comment_id bigint not null,
  home_thread_id bigint not null,
  thread_id bigint not null,
  primary key (site_id, comment_id)
);

-- Threads that were merged into another one.
alter table threads add column merged_into bigint;

-- Votes and flags go along. What is there already fits: the old constraints held it.
alter table votes
  drop constraint votes_comment,
  add constraint votes_comment foreign key (site_id, thread_id, comment_id)
    references comments (site_id, thread_id, id) on update cascade not valid;
alter table flags
  drop constraint flags_comment,
  add constraint flags_comment foreign key (site_id, thread_id, comment_id)
    references comments (site_id, thread_id, id) on update cascade not valid;
