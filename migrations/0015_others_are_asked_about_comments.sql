-- Services outside that are asked about comments, and what they are told of decisions.

alter table sites
  -- [{ name, kind, url, secret, … }]; their secrets never leave.
  add column checks jsonb not null default '[]';

-- Comments whose checks have been asked. Whoever looks after one puts off its time first, so that no
-- other node does the same.
create table check_questions (
  site_id int not null,
  thread_id bigint not null,
  comment_id bigint not null,
  may_publish boolean not null,                          -- what they say may give it to readers
  due_at timestamptz(3) not null,
  attempts int not null default 0,
  primary key (site_id, comment_id),
  constraint check_questions_comment foreign key (site_id, thread_id, comment_id)
    references comments (site_id, thread_id, id) on update cascade
);
create index check_questions_due on check_questions (due_at);

-- What is still to be told: a moderator's decision on what a service has judged.
create table check_reports (
  site_id int not null,
  thread_id bigint not null,
  comment_id bigint not null,
  check_name text not null,
  is_spam boolean not null,
  asked_at timestamptz(3) not null,
  due_at timestamptz(3) not null,
  attempts int not null default 0,
  primary key (site_id, comment_id, check_name),
  constraint check_reports_comment foreign key (site_id, thread_id, comment_id)
    references comments (site_id, thread_id, id) on update cascade
);
create index check_reports_due on check_reports (due_at);
