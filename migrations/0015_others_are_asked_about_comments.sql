-- Services outside that are asked about comments, and what they are told of decisions.

alter table sites
  -- [{ name, kind, url, secret, … }]; their secrets never leave.
  add column checks jsonb not null default '[]';

-- What is still to be told: a moderator's decision on what a service has judged.
create table check_reports (
  site_id int not null,
  thread_id bigint not null,
  comment_id bigint not null,
  check_name text not null,
  is_spam boolean not null,
  asked_at timestamptz(3) not null,
  attempts int not null default 0,
  primary key (site_id, comment_id, check_name),
  constraint check_reports_comment foreign key (site_id, thread_id, comment_id)
    references comments (site_id, thread_id, id) on update cascade
);
