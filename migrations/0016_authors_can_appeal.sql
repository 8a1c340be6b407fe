-- An author may ask once that somebody else looks again.

create type appeal_outcome as enum ('upheld', 'overturned');

create table appeals (
  site_id int not null,
  id bigint generated always as identity,
  thread_id bigint not null,
  comment_id bigint not null,
  author_id bigint not null,
  text text not null,
  appealed_at timestamptz(3) not null,
  decision_id bigint,                                    -- the one that it is about; null: of the rules alone
  decided_by text,                                       -- who must not answer it
  outcome appeal_outcome,                                -- null: waits
  note text,                                             -- for the author
  answered_by text,
  answered_at timestamptz(3),
  primary key (site_id, id),
  constraint appeals_once unique (site_id, comment_id),
  constraint appeals_author foreign key (site_id, author_id) references authors (site_id, id)
);
create index appeals_waiting on appeals (site_id, id) where outcome is null;
create index appeals_answered on appeals (site_id, answered_at, id) where outcome is not null;
create index appeals_of_author on appeals (site_id, author_id, thread_id, comment_id);
