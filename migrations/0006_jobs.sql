-- Background work that any node does: in an author's threads, and with external checks.

create type author_task_kind as enum ('refresh', 'erase');

-- A change of an author, or its erasure, still has to reach the author's threads.
create table author_tasks (
  site_id int not null,
  author_id bigint not null,
  kind author_task_kind not null,
  asked_at timestamptz(3) not null,
  primary key (site_id, author_id, kind),
  constraint author_tasks_author foreign key (site_id, author_id) references authors (site_id, id)
);

-- Comments that wait for external checks. A node that takes one postpones its due_at first, so that no
-- other node takes it too.
create table check_questions (
  site_id int not null,
  thread_id bigint not null,
  comment_id bigint not null,
  may_publish boolean not null,                          -- the checks' answers can publish the comment
  due_at timestamptz(3) not null,
  attempts int not null default 0,
  primary key (site_id, comment_id),
  constraint check_questions_comment foreign key (site_id, thread_id, comment_id)
    references comments (site_id, thread_id, id) on update cascade
);
create index check_questions_due on check_questions (due_at);

-- Moderators' decisions that still have to be reported to the check that judged the comment.
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
