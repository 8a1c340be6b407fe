-- Threads: all comments of one article, with their settings.

create type thread_state as enum ('open', 'closed', 'locked', 'hidden');

create table threads (
  site_id int not null references sites,
  id bigint generated always as identity,
  article_id text not null check (char_length(article_id) between 1 and 512),
  title text,
  url text,
  state thread_state not null default 'open',
  closes_at timestamptz(3),
  stays_open boolean not null default false,             -- the site's close_after_days does not apply
  slow_mode_seconds int,                                 -- null: the site's setting
  moderation moderation_mode,                            -- null: the site's setting
  version bigint not null default 0,                     -- 0: readers have never seen this thread
  comment_count int not null default 0 check (comment_count >= 0),
  root_count int not null default 0 check (root_count >= 0),
  last_comment_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  primary key (site_id, id)
) with (fillfactor = 70);
create unique index threads_article on threads (site_id, article_id);

-- Lists of articles that readers see.
create index threads_active on threads (site_id, last_comment_at desc, id desc)
  where comment_count > 0 and state <> 'hidden';
create index threads_most on threads (site_id, comment_count desc, id desc)
  where comment_count > 0 and state <> 'hidden';
create index threads_newest on threads (site_id, id desc)
  where comment_count > 0 and state <> 'hidden';

-- The job that closes threads: by their own closing time, and by the site's close_after_days.
create index threads_closing on threads (closes_at) where closes_at is not null;
create index threads_by_age on threads (site_id, created_at);
