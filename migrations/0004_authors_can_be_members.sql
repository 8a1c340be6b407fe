-- Members sign on with a token of their site; guests hold one of ours. Roles come from the token, and
-- from administrators; both hold at once.

alter table authors
  add column subject text,                               -- the site's own id of a member
  add column signed_on_at timestamptz(3),                -- when the newest token that was seen was made
  add column email_verified boolean not null default false,
  add column token_roles author_role[] not null default '{}',
  add column granted_roles author_role[] not null default '{}',
  add column location text,
  add column listed boolean not null default false,      -- among the staff that readers see
  add column erased_at timestamptz(3),
  -- A keyed hash of what the subject was: a token from before the erasure makes nobody anew.
  add column erased_subject bytea;

create unique index authors_subject on authors (site_id, subject) where subject is not null;
create index authors_erased_subject on authors (site_id, erased_subject)
  where erased_subject is not null;
create index authors_listed on authors (site_id, id) where listed;

-- What is left to do in the threads of an author, by whichever node comes first.
create type author_task_kind as enum ('refresh', 'erase');
create table author_tasks (
  site_id int not null,
  author_id bigint not null,
  kind author_task_kind not null,
  asked_at timestamptz(3) not null,
  primary key (site_id, author_id, kind),
  constraint author_tasks_author foreign key (site_id, author_id) references authors (site_id, id)
);
